import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import fc from "fast-check";
import { type Configuration, nobody, writeConfiguration } from "./configuration.ts";
import { blank, type Entry } from "./durable.ts";
import { Log } from "./log.ts";

const entry = (index: number, term: number): Entry => ({
  index,
  term,
  kind: "data",
  data: Uint8Array.of(index, term),
});
const onlyVoter = (id: string): Configuration => ({
  voters: [id as NodeId],
  votersOutgoing: [],
  learners: [],
  standbys: [],
});
const change = (index: number, term: number, voter: string): Entry => ({
  index,
  term,
  kind: "configuration",
  data: writeConfiguration(onlyVoter(voter)),
});
const logOf = (...terms: number[]): Log => {
  const log = new Log(blank);
  log.append(terms.map((term, at) => entry(at + 1, term)));
  return log;
};
const termsOf = (log: Log): (number | undefined)[] =>
  Array.from({ length: log.lastIndex }, (_, at) => log.term(at + 1));

const accepts = [
  { name: "takes what follows", has: [1, 1], at: 2, add: [2], want: 3, left: [1, 1, 2] },
  { name: "takes the first entry", has: [], at: 0, add: [1, 1], want: 2, left: [1, 1] },
  { name: "refuses a gap", has: [1], at: 2, add: [2], want: undefined, left: [1] },
  { name: "replaces a tail", has: [1, 1, 1], at: 1, add: [2], want: 2, left: [1, 2] },
  { name: "keeps a tail that agrees", has: [1, 1, 1], at: 1, add: [1], want: 2, left: [1, 1, 1] },
  { name: "agrees without entries", has: [1, 1], at: 1, add: [], want: 1, left: [1, 1] },
];

for (const { name, has, at, add, want, left } of accepts) {
  test(`accept() ${name}`, () => {
    const log = logOf(...has);
    const previous = { index: at, term: at === 0 ? 0 : (has[at - 1] ?? 1) };
    const entries = add.map((term, n) => entry(at + 1 + n, term));
    assert.equal(log.accept(previous, entries), want);
    assert.deepEqual(termsOf(log), left);
  });
}

test("accept() refuses another term before the entries", () => {
  assert.equal(logOf(1, 1).accept({ index: 2, term: 2 }, [entry(3, 2)]), undefined);
});

test("accept() never replaces a committed entry", () => {
  const log = logOf(1, 1, 1);
  log.commitTo(2);
  assert.equal(log.accept({ index: 1, term: 1 }, [entry(2, 2)]), undefined);
  assert.deepEqual(termsOf(log), [1, 1, 1]);
});

test("lastAgreeable() never passes a place where the logs agree, and comes closer each time", () => {
  const ascending = fc
    .array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 })
    .map((terms) => terms.sort((a, b) => a - b));
  fc.assert(
    fc.property(ascending, ascending, ascending, (shared, mine, theirs) => {
      const base = shared.at(-1) ?? 0;
      const leader = logOf(...shared, ...mine.map((term) => base + 2 * term));
      const follower = logOf(...shared, ...theirs.map((term) => base + 2 * term + 1));
      let next = leader.lastIndex + 1;
      let rounds = 0;
      for (;;) {
        const previous = next - 1;
        const term = leader.term(previous) ?? 0;
        if (follower.term(previous) === term) break;
        const hint = follower.lastAgreeable(previous, term);
        const agreeable = leader.lastAgreeable(hint.index, hint.term);
        const before = next;
        next = Math.min(previous, agreeable.index + 1);
        rounds += 1;
        assert.ok(next < before, "comes closer");
        assert.ok(next > shared.length, "keeps what is shared");
      }
      const terms = new Set(mine).size + new Set(theirs).size + 1;
      assert.ok(rounds <= terms, `${rounds} rounds for ${terms} terms`);
    }),
  );
});

test("a configuration holds while its entry is in the log", () => {
  const log = new Log(blank);
  assert.equal(log.configuration, nobody);
  log.append([change(1, 1, "a"), entry(2, 1), change(3, 1, "b")]);
  assert.deepEqual(log.configuration, onlyVoter("b"));
  log.commitTo(1);
  assert.equal(log.mayStand("a" as NodeId), true);
  log.accept({ index: 2, term: 1 }, [entry(3, 2)]);
  assert.deepEqual(log.configuration, onlyVoter("a"));
  assert.equal(log.mayStand("b" as NodeId), false);
});

test("entries are to be written once, and again when they are replaced", () => {
  const log = logOf(1, 1, 1);
  assert.equal(log.takeUnwritten().length, 3);
  assert.deepEqual(log.takeUnwritten(), []);
  log.accept({ index: 1, term: 1 }, [entry(2, 2)]);
  assert.deepEqual(log.takeUnwritten(), [entry(2, 2)]);
});

test("a restored log writes nothing, and hands out its committed entries", () => {
  const entries = [entry(1, 1), entry(2, 1), entry(3, 1)];
  const log = new Log({
    hardState: { term: 1, votedFor: undefined, commit: 2 },
    snapshot: undefined,
    entries,
  });
  assert.deepEqual(log.takeUnwritten(), []);
  assert.deepEqual(log.takeCommitted(), entries.slice(0, 2));
  assert.deepEqual(log.takeCommitted(), []);
});

test("compact() keeps the trailing entries and the configuration that holds there", () => {
  const log = new Log(blank);
  log.append([change(1, 1, "a"), entry(2, 1), change(3, 1, "b"), entry(4, 1), entry(5, 1)]);
  log.commitTo(4);
  log.takeCommitted();
  const snapshot = log.compact(4, new Uint8Array(), 2);
  assert.deepEqual(snapshot?.configuration, onlyVoter("b"));
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((index) => log.term(index)),
    [undefined, 1, 1, 1, 1],
  );
  assert.equal(log.compact(4, new Uint8Array(), 2), undefined);
  assert.deepEqual(
    log.slice(3, { entriesMax: 9, bytesMax: 2 }).map((one) => one.index),
    [3],
  );
});

test("install() leaves the snapshot and nothing else", () => {
  const log = logOf(1, 1, 1);
  log.install({ index: 9, term: 4, configuration: onlyVoter("c"), data: new Uint8Array() });
  assert.deepEqual([log.lastIndex, log.lastTerm, log.commit], [9, 4, 9]);
  assert.deepEqual(log.configuration, onlyVoter("c"));
  assert.deepEqual(log.takeCommitted(), []);
  assert.equal(log.uncommittedBytes, 0);
});
