import assert from "node:assert/strict";
import { test } from "node:test";
import { Compaction } from "./compaction.ts";

const mebibyte = 2 ** 20;
const calm = { isSnapshotting: false, grownBytes: mebibyte, wholeBytes: mebibyte };
const rewritten = { whole: false };
const replaced = { whole: true };

/** The snapshot on disk has entry 1000, and the log may have 100 more. */
const cases = [
  { name: "nothing was written", now: { index: 1000 }, want: undefined },
  { name: "few entries were written", now: { index: 1099 }, want: undefined },
  { name: "the log is full", now: { index: 1100 }, want: rewritten },
  {
    name: "the log is full, and a snapshot is under way",
    now: { index: 1100, journal: { isSnapshotting: true } },
    want: undefined,
  },
  {
    name: "the journal is almost large",
    now: { index: 1001, journal: { grownBytes: 16 * mebibyte - 1 } },
    want: undefined,
  },
  {
    name: "the journal is large",
    now: { index: 1001, journal: { grownBytes: 16 * mebibyte } },
    want: rewritten,
  },
  {
    name: "the journal is large, and has no entries",
    now: { index: 1000, journal: { grownBytes: 16 * mebibyte } },
    want: undefined,
  },
  {
    name: "the journal is large, and the snapshot larger",
    now: { index: 1001, journal: { grownBytes: 20 * mebibyte, wholeBytes: 30 * mebibyte } },
    want: undefined,
  },
  {
    name: "the journal is as large as a large snapshot",
    now: { index: 1001, journal: { grownBytes: 30 * mebibyte, wholeBytes: 30 * mebibyte } },
    want: rewritten,
  },
  {
    name: "an entry could not be applied",
    now: { index: 1002, badIndex: 1001 },
    want: replaced,
  },
  {
    name: "an entry in the snapshot could not be applied",
    now: { index: 1002, badIndex: 1000 },
    want: undefined,
  },
];

for (const { name, now, want } of cases) {
  test(`Compaction.due() when ${name}`, () => {
    const compaction = new Compaction({ snapshotIndex: 1000, logEntriesMax: 100 });
    const journal = { ...calm, ...now.journal };
    assert.deepEqual(compaction.due({ badIndex: 0, ...now, journal }), want);
  });
}

test("Compaction counts from the last snapshot", () => {
  const compaction = new Compaction({ snapshotIndex: 0, logEntriesMax: 100 });
  assert.deepEqual(compaction.due({ index: 100, badIndex: 50, journal: calm }), replaced);
  compaction.took(100);
  assert.equal(compaction.due({ index: 199, badIndex: 50, journal: calm }), undefined);
  assert.deepEqual(compaction.due({ index: 200, badIndex: 50, journal: calm }), rewritten);
});
