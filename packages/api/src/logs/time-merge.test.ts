import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareTimes } from "./log-times.ts";
import { TimeMerge } from "./time-merge.ts";

interface Item {
  readonly time: { readonly ms: number; readonly nanos: number };
  readonly isCut: boolean;
  readonly text: string;
}

const item = (ms: number, text = "", isCut = false): Item => ({
  time: { ms, nanos: 0 },
  isCut,
  text,
});

async function* from(items: readonly Item[]): AsyncGenerator<Item> {
  for (const one of items) {
    await new Promise((settle) => setImmediate(settle));
    yield one;
  }
}

async function all(merge: TimeMerge<Item>): Promise<Item[]> {
  const got: Item[] = [];
  for await (const one of merge.items()) got.push(one);
  return got;
}

test("items of sources that end are in order of time, and none is lost", async () => {
  const times = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(fc.array(times, { maxLength: 5 }), async (sources) => {
      const merge = new TimeMerge<Item>(Number.POSITIVE_INFINITY);
      for (const source of sources) {
        merge.add(from(source.toSorted((a, b) => a - b).map((ms) => item(ms))));
      }
      merge.close();
      const got = await all(merge);
      assert.equal(got.length, sources.flat().length);
      for (let at = 1; at < got.length; at += 1) {
        const [before, after] = got.slice(at - 1);
        assert.ok(before && after && compareTimes(before.time, after.time) <= 0);
      }
    }),
    { numRuns: 50 },
  );
});

test("the pieces of a cut line stay together", async () => {
  const merge = new TimeMerge<Item>(Number.POSITIVE_INFINITY);
  merge.add(from([item(1, "a", true), item(5, "b", true), item(9, "c")]));
  merge.add(from([item(2, "x"), item(3, "y")]));
  merge.close();
  const texts = (await all(merge)).map(({ text }) => text);
  assert.deepEqual(texts, ["a", "b", "c", "x", "y"]);
});

/** Yields these items, and then nothing until it is ended. */
function quietAfter(items: readonly Item[]): { source: AsyncIterable<Item>; end: () => void } {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((settle) => {
    end = settle;
  });
  async function* source(): AsyncGenerator<Item> {
    yield* items;
    await ended;
  }
  return { source: source(), end };
}

test("a quiet source holds the others back for a short time only", async () => {
  const merge = new TimeMerge<Item>(20);
  const quiet = quietAfter([item(2, "early")]);
  // Both show their first item before any time passes.
  const lively = quietAfter([item(1, "a"), item(3, "b", true)]);
  merge.add(lively.source);
  merge.add(quiet.source);
  const items = merge.items();
  const texts: string[] = [];
  for (let count = 0; count < 3; count += 1) {
    const { value } = await items.next();
    if (value !== undefined) texts.push(value.text);
  }
  assert.deepEqual(texts, ["a", "early", "b"]);
  // A source that joins later is merged, although the rest of the cut line never comes.
  merge.add(from([item(4, "late")]));
  assert.equal((await items.next()).value?.text, "late");
  merge.close();
  quiet.end();
  lively.end();
  assert.equal((await items.next()).done, true);
});

test("an error of a source ends the sequence", async () => {
  const merge = new TimeMerge<Item>(20);
  // biome-ignore lint/correctness/useYield: it fails first.
  async function* broken(): AsyncGenerator<Item> {
    throw new Error("broken");
  }
  merge.add(broken());
  await assert.rejects(all(merge), { message: "broken" });
});
