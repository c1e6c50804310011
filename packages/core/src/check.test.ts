import assert from "node:assert/strict";
import { test } from "node:test";
import * as check from "./check.ts";

const shape = check.object({
  name: check.string(5),
  age: check.optional(check.integer(0, 10)),
  tags: check.list(check.literal("a", "b"), 2),
});
const either = check.union<{ kind: string }>({
  one: check.object({ kind: check.literal("one"), at: check.number(0, 1) }),
  two: check.object({ kind: check.literal("two"), data: check.bytes(2) }),
});
const nullable = check.object({ at: check.orNull(check.number()) });
const marks = check.map(check.boolean, 1);
const kept = check.struct({ a: check.integer(), b: check.integer() });
const filled = check.struct({
  a: check.integer(),
  b: (value, path) => check.integer()(value ?? 7, path),
});
const keptList = check.list(check.struct({ a: check.integer() }), 3);

const taken: readonly {
  name: string;
  check: check.Check<unknown>;
  from: unknown;
  want?: unknown;
}[] = [
  { name: "all fields", check: shape, from: { name: "x", age: 3, tags: ["a", "b"] } },
  { name: "no optional field", check: shape, from: { name: "", tags: [] } },
  {
    name: "null for an optional field, as absent",
    check: shape,
    from: { name: "x", age: null, tags: [] },
    want: { name: "x", tags: [] },
  },
  {
    name: "fields of a newer peer, and drops them",
    check: shape,
    from: { name: "x", tags: [], more: 1 },
    want: { name: "x", tags: [] },
  },
  { name: "a member of a union", check: either, from: { kind: "one", at: 0.5 } },
  { name: "bytes", check: either, from: { kind: "two", data: Uint8Array.of(1, 2) } },
  { name: "null where a field may be null", check: nullable, from: { at: null } },
  { name: "a value where a field may be null", check: nullable, from: { at: 0.5 } },
  { name: "a map", check: marks, from: { anything: true } },
  {
    name: "a struct with a field that nobody knows behind others",
    check: kept,
    from: { a: 1, more: 2, b: 3 },
    want: { a: 1, b: 3 },
  },
  { name: "what a struct fills in", check: filled, from: { a: 1 }, want: { a: 1, b: 7 } },
  {
    name: "entries of a list, of which one is not as it came",
    check: keptList,
    from: [{ a: 1 }, { a: 2, more: 3 }, { a: 4 }],
    want: [{ a: 1 }, { a: 2 }, { a: 4 }],
  },
];

test("check returns the same object when nothing has to be dropped", () => {
  const [whole, list] = [{ b: 1, a: 2 }, [{ a: 1 }, { a: 2 }]];
  assert.equal(kept(whole, "it"), whole);
  assert.equal(keptList(list, "it"), list);
  const [first] = keptList([list[0], { a: 2, more: 3 }], "it");
  assert.equal(first, list[0]);
});

for (const { name, check: one, from, want = from } of taken) {
  test(`check takes ${name}`, () => assert.deepEqual(one(from, "it"), want));
}

const refused: readonly [check.Check<unknown>, unknown, string][] = [
  [shape, undefined, "it: wanted an object, found undefined"],
  [shape, null, "it: wanted an object, found null"],
  [shape, [], "it: wanted an object, found a list"],
  [shape, { tags: [] }, "it.name: wanted a string, found undefined"],
  [shape, { name: "longer", tags: [] }, 'it.name: wanted at most 5 characters, found "longer"'],
  [shape, { name: "x", age: 1.5, tags: [] }, "it.age: wanted an integer, found number"],
  [shape, { name: "x", age: 11, tags: [] }, "it.age: wanted an integer from 0 to 10, found number"],
  [shape, { name: "x", tags: {} }, "it.tags: wanted a list, found object"],
  [shape, { name: "x", tags: ["a", "c"] }, 'it.tags[1]: wanted "a" or "b", found "c"'],
  [shape, { name: "x", tags: ["a", "a", "a"] }, "it.tags: wanted at most 2 entries, found a list"],
  [either, { kind: "three" }, 'it.kind: wanted one or two, found "three"'],
  [either, { kind: "constructor" }, 'it.kind: wanted one or two, found "constructor"'],
  [either, { kind: "one", at: Number.NaN }, "it.at: wanted a number, found number"],
  [either, { kind: "one", at: -1 }, "it.at: wanted a number from 0 to 1, found number"],
  [either, { kind: "two", data: "ab" }, 'it.data: wanted bytes, found "ab"'],
  [
    either,
    { kind: "two", data: new Uint8Array(3) },
    "it.data: wanted at most 2 bytes, found object",
  ],
  [check.bytesExactly(2), new Uint8Array(1), 'it: wanted 2 bytes, found "1 bytes"'],
  [check.bytesExactly(2), new Uint8Array(3), 'it: wanted 2 bytes, found "3 bytes"'],
  [check.bytesExactly(2), "ab", 'it: wanted bytes, found "ab"'],
  [nullable, {}, "it.at: wanted a number, found undefined"],
  [marks, { a: true, b: false }, "it: wanted at most 1 entries, found object"],
  [kept, { a: 1, more: 2 }, "it.b: wanted an integer, found undefined"],
  [keptList, new Array(1), "it[0]: wanted an object, found undefined"],
  [marks, { a: 1 }, "it.a: wanted true or false, found number"],
];

for (const [one, value, message] of refused) {
  test(`check refuses ${message}`, () => {
    assert.throws(() => one(value, "it"), { code: "BAD_FRAME", message: `Cannot read ${message}` });
  });
}
