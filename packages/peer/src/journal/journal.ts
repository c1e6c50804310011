/**
 * Journal: what is on this peer's disk, and what has to be written next.
 *
 * Each generation is one file. Its first record is a whole copy (snapshot, votes, log). Each further record
 * holds what Raft asked to persist since the record before. A snapshot begins a new generation. One record is
 * in flight at a time; what Raft asks for meanwhile goes into the next record. So a batch costs one fsync, and
 * a crash can tear only one record.
 *
 * Drive it with request() for each persist effect of Raft, take() whenever something may be written, and
 * persisted() when the disk has it. Recover with recoverJournal().
 */

import {
  blank,
  bootstrap,
  type HardState,
  type Entry as RaftEntry,
  type Restored,
  type Snapshot,
} from "@gam/consensus";
import { assert, GamError, type NodeId } from "@gam/core";
import { firstDialect, insistOnSchema, spokenDialect } from "@gam/state";
import { type Contact, encodeRecord, readRecord, type Stored } from "./journal-shape.ts";
import { firstLife, type Life, noLife } from "./life.ts";
import { journalRemedy, payloadBytesMax, readRecords, recordBytes, writeRecord } from "./record.ts";

/** One persist effect of Raft. Its entries replace all log entries from the first one's index on. */
export interface RaftWrite {
  readonly write: number;
  readonly hardState?: HardState | undefined;
  readonly entries: readonly RaftEntry[];
  readonly snapshot?: Snapshot | undefined;
}

/**
 * One disk operation for the shell; perform them in order, one at a time. `begin` writes the new file under a
 * temporary name, makes it durable, renames it, and removes every other file. With `setAside` it keeps the
 * older files for people instead, under a name that no start reads, until the next `setAside`.
 */
export type DiskStep =
  | {
      readonly kind: "begin";
      readonly file: string;
      readonly bytes: Uint8Array;
      readonly setAside?: true;
    }
  | { readonly kind: "append"; readonly file: string; readonly bytes: Uint8Array };

export interface JournalFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Recovered {
  readonly restored: Restored;
  /** The journal to append to. */
  readonly journal: Journal;
  /** A torn tail, to cut off before the first append. */
  readonly cut: { readonly file: string; readonly toBytes: number } | undefined;
}

/** The initial content of a journal in another life of the cluster. */
export interface NewLife {
  readonly life: Life;
  /** Peers to connect to while there is no state. */
  readonly contacts: readonly Contact[];
  /** Absent: this peer waits for the log from other peers. */
  readonly log?: Pick<Stored, "hardState" | "snapshot">;
}

/** The state that results from a sequence of writes. */
class Copy {
  hardState: HardState = blank.hardState;
  snapshot: Snapshot | undefined;
  entries: RaftEntry[] = [];
  life: Life = noLife;
  contacts: readonly Contact[] = [];
  /** The newest dialect that this peer has spoken. */
  dialect = firstDialect;

  write(write: Stored): void {
    if (write.life !== undefined) this.life = write.life;
    if (write.contacts !== undefined) this.contacts = write.contacts;
    if (write.hardState !== undefined) this.hardState = write.hardState;
    if (write.snapshot !== undefined) this.#install(write.snapshot);
    const [first] = write.entries;
    if (first === undefined) return;
    assert(this.fits(write), "journal entries leave no gap");
    this.entries.length = first.index - (this.snapshot?.index ?? 0) - 1;
    for (const entry of write.entries) this.entries.push(entry);
  }

  /** Whether its entries follow the present ones or replace some of them, without a gap. */
  fits({ entries: [first] }: Stored): boolean {
    const from = (first?.index ?? 0) - (this.snapshot?.index ?? 0) - 1;
    const before = from === 0 ? (this.snapshot?.term ?? 0) : this.entries[from - 1]?.term;
    return first === undefined || (before !== undefined && first.term >= before);
  }

  #install(snapshot: Snapshot): void {
    const base = this.snapshot?.index ?? 0;
    const last = this.entries[snapshot.index - base - 1];
    // Entries after the snapshot stay only if the log agrees with the snapshot.
    const agrees = last !== undefined && last.term === snapshot.term;
    this.entries = agrees ? this.entries.slice(snapshot.index - base) : [];
    this.snapshot = snapshot;
  }

  whole(): Stored {
    const { hardState, entries, snapshot, life, contacts } = this;
    return { hardState, entries, snapshot, life, contacts };
  }
}

export class Journal {
  #copy: Copy;
  #generation: number;
  #sequence: number;
  #waiting: RaftWrite[] = [];
  #underWay: readonly number[] | undefined;
  #wholeDue = false;
  #lifeDue: Life | undefined;
  /** The dialect that the disk names; the copy's may be newer. */
  #dialectOnDisk: number;
  #dialectUnderWay: number;
  #newLife: NewLife | undefined;
  #rebirth: "none" | "under way" | "done" = "none";
  /** Snapshots that are not on the disk yet. */
  #snapshots = 0;
  #snapshotsUnderWay = 0;
  #wholeBytes: number;
  #grownBytes: number;

  constructor(copy?: Copy, generation = 0, sequence = 0, wholeBytes = 0, grownBytes = 0) {
    this.#copy = copy ?? new Copy();
    this.#dialectOnDisk = this.#copy.dialect;
    this.#dialectUnderWay = this.#copy.dialect;
    this.#generation = generation;
    this.#sequence = sequence;
    this.#wholeBytes = wholeBytes;
    this.#grownBytes = grownBytes;
  }

  /** A snapshot was requested and is not on the disk yet. Another one would only take more memory. */
  get isSnapshotting(): boolean {
    return this.#snapshots > 0;
  }

  /** Size of the whole copy at the start of the present file. */
  get wholeBytes(): number {
    return this.#wholeBytes;
  }

  /** Bytes written since the last snapshot was requested, whether that is on the disk yet or not. */
  get grownBytes(): number {
    return this.#grownBytes;
  }

  get life(): Life {
    return this.#lifeDue ?? this.#copy.life;
  }

  get contacts(): readonly Contact[] {
    return this.#copy.contacts;
  }

  /** Whether the new life of beginLife() is durable. */
  get isReborn(): boolean {
    return this.#rebirth === "done";
  }

  /** All that Raft has asked to persist until now, on the disk or not. */
  log(): Pick<Restored, "hardState" | "snapshot" | "entries"> {
    const copy = new Copy();
    for (const write of [this.#copy.whole(), ...this.#waiting]) copy.write(write);
    return restoredOf(copy);
  }

  /** Whether the disk records that this peer speaks that dialect. Only then may others rely on it. */
  speaks(dialect: number): boolean {
    return this.#dialectOnDisk >= dialect;
  }

  /** Records that this peer speaks that dialect. After that an older gam refuses to start on this disk. */
  speak(dialect: number): void {
    if (dialect <= this.#copy.dialect) return;
    this.#copy.dialect = dialect;
    this.#wholeDue = true;
  }

  /** Takes over that life. Only for a peer without a log. */
  adoptLife(life: Life): void {
    this.#lifeDue = life;
  }

  /** Replaces everything with a new life. No request() may follow. */
  beginLife(newLife: NewLife): void {
    this.#newLife = newLife;
  }

  request(write: RaftWrite): void {
    this.#waiting.push(write);
    if (write.snapshot === undefined) return;
    this.#snapshots += 1;
    this.#grownBytes = 0;
  }

  /** Asks for a record even if Raft asked for none: what the copy holds is not on the disk yet. */
  requestWhole(): void {
    this.#wholeDue = true;
  }

  /** Returns: the next step; undefined while one is in flight or when there is none. */
  take(): DiskStep | undefined {
    if (this.#underWay !== undefined) return undefined;
    if (this.#newLife !== undefined) return this.#takeNewLife(this.#newLife);
    const life = this.#lifeDue;
    if (this.#waiting.length === 0 && !this.#wholeDue && life === undefined) return undefined;
    this.#wholeDue = false;
    this.#lifeDue = undefined;
    const writes = this.#waiting;
    this.#waiting = [];
    this.#underWay = writes.map(({ write }) => write);
    const stored: Stored[] = life === undefined ? writes : [{ life, entries: [] }, ...writes];
    for (const write of stored) this.#copy.write(write);
    for (const { snapshot } of writes) if (snapshot !== undefined) this.#snapshotsUnderWay += 1;
    const first = this.#generation === 0;
    if (first || writes.some((write) => write.snapshot !== undefined)) return this.#begin();
    this.#sequence += 1;
    const bytes = writeRecord(this.#sequence, this.#pack(stored));
    this.#grownBytes += bytes.length;
    return { kind: "append", file: fileName(this.#generation), bytes };
  }

  /** Begins the next generation with the whole copy. */
  #begin(): Extract<DiskStep, { kind: "begin" }> {
    this.#generation += 1;
    this.#sequence = 1;
    const bytes = writeRecord(1, this.#pack([this.#copy.whole()]));
    this.#wholeBytes = bytes.length;
    return { kind: "begin", file: fileName(this.#generation), bytes };
  }

  #takeNewLife({ life, contacts, log }: NewLife): DiskStep {
    this.#newLife = undefined;
    this.#rebirth = "under way";
    this.#underWay = [];
    const { dialect } = this.#copy;
    this.#copy = new Copy();
    this.#copy.dialect = dialect;
    this.#copy.write({ entries: [], ...log, life, contacts });
    // Keep the old files: if the other life was begun by mistake, they are the only copy of this one.
    return { ...this.#begin(), setAside: true };
  }

  #pack(writes: readonly Stored[]): Uint8Array {
    const { dialect } = this.#copy;
    this.#dialectUnderWay = dialect;
    const stored = writes.map(({ hardState, entries, snapshot, life, contacts }) => {
      return { hardState, entries, snapshot, life, contacts };
    });
    const bytes = encodeRecord({ dialect, writes: stored });
    assert(bytes.length <= payloadBytesMax, "a write fits into a record");
    return bytes;
  }

  /** The last step is durable. Returns: the writes to report to Raft as persisted. */
  persisted(): readonly number[] {
    assert(this.#underWay !== undefined, "only what was taken can become durable");
    const done = this.#underWay;
    this.#dialectOnDisk = this.#dialectUnderWay;
    if (this.#rebirth === "under way") this.#rebirth = "done";
    this.#snapshots -= this.#snapshotsUnderWay;
    this.#snapshotsUnderWay = 0;
    this.#underWay = undefined;
    return done;
  }
}

/**
 * Reads the journal's files.
 *
 * Shape: the files of the journal's folder, in any order. All names must be those of fileName(); unfinished
 *         files have other names. `newest` is the newest dialect of the log that this peer speaks.
 * Errors: CORRUPT_FILE, with file, offset and what to do. With `salvage` only for a file without any intact
 *         record; otherwise salvaging takes all records before the broken one, and nothing must be cut off.
 *         NOT_SUPPORTED for a file that a newer gam wrote to: it must stay unchanged.
 */
export function recoverJournal(
  files: readonly JournalFile[],
  salvage = false,
  newest = spokenDialect.newest,
): Recovered {
  const [file] = [...files].sort((a, b) => generationOf(b.name) - generationOf(a.name));
  const copy = new Copy();
  if (file === undefined)
    return { restored: restoredOf(copy), journal: new Journal(), cut: undefined };
  const { payloads, endBytes, sequence } = readRecords(file.name, file.bytes, { salvage });
  if (sequence === 0) {
    // A file gets its name only after its first record is durable, so this is damage and not a torn write.
    throw new GamError(
      "CORRUPT_FILE",
      `Cannot read journal "${file.name}": the record at offset 0 is broken. ${journalRemedy}`,
    );
  }
  for (const payload of payloads) replay(file.name, copy, payload, newest);
  const wholeBytes = recordBytes(payloads[0]?.length ?? 0);
  const grownBytes = endBytes - wholeBytes;
  const generation = generationOf(file.name);
  const journal = new Journal(copy, generation, sequence, wholeBytes, grownBytes);
  const torn = !salvage && endBytes < file.bytes.length;
  return {
    restored: restoredOf(copy),
    journal,
    cut: torn ? { file: file.name, toBytes: endBytes } : undefined,
  };
}

/** Returns: the journal of a new cluster whose only voter is `self`. Nothing of it is on the disk yet. */
export function bootstrapJournal(self: NodeId): Recovered {
  const copy = new Copy();
  copy.write({ ...bootstrap(self), life: firstLife(self) });
  const journal = new Journal(copy);
  journal.requestWhole();
  return { restored: restoredOf(copy), journal, cut: undefined };
}

/** Returns: the journal of a peer that joins. Nothing of it is on the disk yet. */
export function blankJournal(): Recovered {
  const copy = new Copy();
  const journal = new Journal(copy);
  journal.requestWhole();
  return { restored: restoredOf(copy), journal, cut: undefined };
}

const namePattern = /^journal-(\d{10})$/;

function fileName(generation: number): string {
  return `journal-${String(generation).padStart(10, "0")}`;
}

function generationOf(name: string): number {
  return Number(namePattern.exec(name)?.[1] ?? -1);
}

/** Whether a file belongs to the journal. A crash may leave unfinished files, which have other names. */
export function isJournalFile(name: string): boolean {
  return namePattern.test(name);
}

function restoredOf(copy: Copy): Restored {
  return { hardState: copy.hardState, snapshot: copy.snapshot, entries: [...copy.entries] };
}

/** Errors: CORRUPT_FILE for an intact record that is not usable; NOT_SUPPORTED for a record of a newer gam. */
function replay(name: string, copy: Copy, payload: Uint8Array, newest: number): void {
  try {
    const { dialect, writes } = readRecord(payload, newest);
    copy.dialect = Math.max(copy.dialect, dialect);
    for (const write of writes) {
      const { snapshot, ...rest } = write;
      if (snapshot !== undefined) insistOnSchema(snapshot.data);
      if (snapshot !== undefined) copy.write({ entries: [], snapshot });
      if (!copy.fits(rest)) throw new GamError("BAD_FRAME", "its entries leave a gap");
      copy.write(rest);
    }
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    if (thrown.code === "NOT_SUPPORTED") {
      const found = `Cannot read journal "${name}": ${thrown.message}`;
      throw new GamError("NOT_SUPPORTED", found, { cause: thrown });
    }
    const message = `Cannot read journal "${name}": ${thrown.message}. ${journalRemedy}`;
    throw new GamError("CORRUPT_FILE", message, { cause: thrown });
  }
}
