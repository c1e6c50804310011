import assert from "node:assert/strict";
import { test } from "node:test";
import { type DiskStep, Journal, recoverJournal } from "./journal.ts";

const entry = (index: number, term: number) => ({
  index,
  term,
  kind: "data" as const,
  data: Uint8Array.of(index, term),
});

/** Performs steps on files in memory. */
class Files {
  readonly files = new Map<string, Uint8Array>();

  perform(step: DiskStep | undefined): void {
    assert.ok(step !== undefined, "there is something to write");
    if (step.kind === "begin") {
      this.files.clear();
      this.files.set(step.file, step.bytes);
      return;
    }
    const old = this.files.get(step.file) ?? new Uint8Array();
    this.files.set(step.file, Buffer.concat([old, step.bytes]));
  }

  list(change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes) {
    return [...this.files].map(([name, bytes]) => ({ name, bytes: change(bytes) }));
  }
}

function written(): Files {
  const files = new Files();
  const journal = new Journal();
  const write = (number: number, index: number, term: number) => {
    journal.request({
      write: number,
      hardState: { term, votedFor: undefined, commit: 0 },
      entries: [entry(index, term)],
    });
    files.perform(journal.take());
    assert.deepEqual(journal.persisted(), [number]);
  };
  write(1, 1, 1);
  write(2, 2, 1);
  write(3, 2, 2);
  write(4, 3, 2);
  return files;
}

test("Journal recovers as it was written, later entries over earlier ones", () => {
  const { restored, cut } = recoverJournal(written().list());
  assert.deepEqual(
    restored.entries.map(({ index, term }) => [index, term]),
    [
      [1, 1],
      [2, 2],
      [3, 2],
    ],
  );
  assert.equal(restored.hardState.term, 2);
  assert.equal(cut, undefined);
});

test("Journal gathers requests into one record while a write is in flight", () => {
  const journal = new Journal();
  journal.request({ write: 1, entries: [entry(1, 1)] });
  assert.ok(journal.take());
  journal.request({ write: 2, entries: [entry(2, 1)] });
  journal.request({ write: 3, entries: [entry(3, 1)] });
  assert.equal(journal.take(), undefined);
  assert.deepEqual(journal.persisted(), [1]);
  assert.ok(journal.take());
  assert.deepEqual(journal.persisted(), [2, 3]);
});

test("Journal cut at any byte recovers as an earlier state of itself", () => {
  const files = written();
  const [{ bytes: whole } = { bytes: new Uint8Array() }] = files.list();
  const { cut } = recoverJournal(files.list((bytes) => bytes.subarray(0, whole.length - 1)));
  assert.ok(cut !== undefined && cut.toBytes < whole.length);
  let entries = 0;
  for (let length = cut.toBytes; length <= whole.length; length += 1) {
    const { restored, journal } = recoverJournal(files.list((bytes) => bytes.subarray(0, length)));
    assert.ok(restored.entries.length >= entries);
    entries = restored.entries.length;
    journal.request({ write: 9, entries: [entry(entries + 1, 3)] });
    assert.equal(journal.take()?.kind, "append");
  }
});

test("Journal refuses a broken middle, with file, offset and remedy", () => {
  const files = written();
  const broken = (at: number) =>
    files.list((bytes) => {
      const copy = Uint8Array.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 0x10;
      return copy;
    });
  const [{ bytes } = { bytes: new Uint8Array() }] = files.list();
  // Any byte except those of the last record, where damage looks like a torn tail.
  const last = Buffer.from(bytes).lastIndexOf("GAMR");
  for (let at = 0; at < last; at += 1) {
    assert.throws(() => recoverJournal(broken(at)), {
      code: "CORRUPT_FILE",
      message: /journal-0000000001.*offset \d+.*gam join/,
    });
  }
  for (let at = last; at < bytes.length; at += 1) assert.ok(recoverJournal(broken(at)).cut);
});

test("Journal knows its growth since the last snapshot, also after a restart", () => {
  const files = new Files();
  const journal = new Journal();
  const configuration = { voters: [], votersOutgoing: [], learners: [], standbys: [] };
  journal.request({ write: 1, entries: [entry(1, 1)] });
  files.perform(journal.take());
  journal.persisted();
  assert.equal(journal.grownBytes, 0);
  journal.request({ write: 2, entries: [entry(2, 1)] });
  files.perform(journal.take());
  journal.persisted();
  const { grownBytes, wholeBytes } = journal;
  assert.ok(grownBytes > 0 && wholeBytes > 0);
  const recovered = recoverJournal(files.list()).journal;
  assert.deepEqual([recovered.grownBytes, recovered.wholeBytes], [grownBytes, wholeBytes]);

  // The disk is slow: the snapshot is not written yet, and need not be requested again.
  journal.request({ write: 3, entries: [entry(3, 1)] });
  journal.take();
  const data = new Uint8Array(1000);
  journal.request({ write: 4, entries: [], snapshot: { index: 2, term: 1, configuration, data } });
  assert.deepEqual([journal.grownBytes, journal.isSnapshotting], [0, true]);
  journal.persisted();
  journal.take();
  assert.equal(journal.isSnapshotting, true);
  journal.persisted();
  assert.equal(journal.isSnapshotting, false);
  assert.ok(journal.wholeBytes > 1000);
});

test("Journal begins a new file with each snapshot, and keeps the log that agrees with it", () => {
  const files = new Files();
  const journal = new Journal();
  journal.request({ write: 1, entries: [entry(1, 1), entry(2, 1), entry(3, 1)] });
  files.perform(journal.take());
  journal.persisted();
  const configuration = { voters: [], votersOutgoing: [], learners: [], standbys: [] };
  const snapshot = { index: 2, term: 1, configuration, data: new Uint8Array(4) };
  journal.request({ write: 2, entries: [], snapshot });
  const step = journal.take();
  assert.equal(step?.file, "journal-0000000002");
  files.perform(step);
  const { restored } = recoverJournal(files.list());
  assert.equal(restored.snapshot?.index, 2);
  assert.deepEqual(
    restored.entries.map(({ index }) => index),
    [3],
  );

  journal.persisted();
  journal.request({ write: 3, entries: [], snapshot: { ...snapshot, index: 9, term: 4 } });
  files.perform(journal.take());
  assert.deepEqual(recoverJournal(files.list()).restored.entries, []);
});
