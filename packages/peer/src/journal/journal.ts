/**
 * Journal: what stands on this peer's disk, and what has to be written next.
 *
 * One file a generation. Its first record is a whole copy (snapshot, votes, log); each further record
 * is what Raft asked to be made durable since the record before. A snapshot begins a new generation.
 * One record is under way at a time; what Raft asks for meanwhile is gathered into the next one, so
 * there is one fsync for a batch, and a crash can tear one record only.
 *
 * Drive it with request() for each persist effect of Raft, take() whenever something may be written,
 * and persisted() when the disk has it. Recover with recoverJournal().
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

/** What Raft asked for in one persist effect. Entries replace all from the first one's index on. */
export interface RaftWrite {
  readonly write: number;
  readonly hardState?: HardState | undefined;
  readonly entries: readonly RaftEntry[];
  readonly snapshot?: Snapshot | undefined;
}

/**
 * What the shell has to do, in this order and one at a time. `begin` makes the file anew under another
 * name, makes it durable, renames it, and removes every other file; with `setAside` those before it stay for
 * people, under a name that no start reads, until the next time.
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
  /** Where the journal goes on. */
  readonly journal: Journal;
  /** A torn tail to cut off before anything is appended. */
  readonly cut: { readonly file: string; readonly toBytes: number } | undefined;
}

/** All that a journal begins with in another life of the cluster. */
export interface NewLife {
  readonly life: Life;
  /** Whom to connect to while the state names nobody. */
  readonly contacts: readonly Contact[];
  /** Absent: this peer waits for the log of others. */
  readonly log?: Pick<Stored, "hardState" | "snapshot">;
}

/** The state that a sequence of writes amounts to. */
class Copy {
  hardState: HardState = blank.hardState;
  snapshot: Snapshot | undefined;
  entries: RaftEntry[] = [];
  life: Life = noLife;
  contacts: readonly Contact[] = [];
  /** The newest that this peer has spoken. */
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

  /** Its entries follow what is there, or replace some of it. */
  fits({ entries: [first] }: Stored): boolean {
    const from = (first?.index ?? 0) - (this.snapshot?.index ?? 0) - 1;
    const before = from === 0 ? (this.snapshot?.term ?? 0) : this.entries[from - 1]?.term;
    return first === undefined || (before !== undefined && first.term >= before);
  }

  #install(snapshot: Snapshot): void {
    const base = this.snapshot?.index ?? 0;
    const last = this.entries[snapshot.index - base - 1];
    // Only a log that agrees with the snapshot goes on behind it.
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
  /** What the disk says of it; the copy may be ahead. */
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

  /** A snapshot was asked for and is not on the disk yet: another would only be kept in memory beside it. */
  get isSnapshotting(): boolean {
    return this.#snapshots > 0;
  }

  /** Size of the copy that the present file begins with. */
  get wholeBytes(): number {
    return this.#wholeBytes;
  }

  /** What was written since the last snapshot was asked for, whether it is on the disk yet or not. */
  get grownBytes(): number {
    return this.#grownBytes;
  }

  get life(): Life {
    return this.#lifeDue ?? this.#copy.life;
  }

  get contacts(): readonly Contact[] {
    return this.#copy.contacts;
  }

  /** What beginLife() asked for is durable. */
  get isReborn(): boolean {
    return this.#rebirth === "done";
  }

  /** All that Raft has asked for until now, on the disk or not. */
  log(): Pick<Restored, "hardState" | "snapshot" | "entries"> {
    const copy = new Copy();
    for (const write of [this.#copy.whole(), ...this.#waiting]) copy.write(write);
    return restoredOf(copy);
  }

  /** Whether the disk knows that this peer speaks that dialect: only then may others count on it. */
  speaks(dialect: number): boolean {
    return this.#dialectOnDisk >= dialect;
  }

  /** From now on this peer speaks that dialect. An older gam will not start on this disk any more. */
  speak(dialect: number): void {
    if (dialect <= this.#copy.dialect) return;
    this.#copy.dialect = dialect;
    this.#wholeDue = true;
  }

  /** A peer without a log takes part in that life. */
  adoptLife(life: Life): void {
    this.#lifeDue = life;
  }

  /** Forgets all that is there for the sake of another life. Nothing may be asked for after it. */
  beginLife(newLife: NewLife): void {
    this.#newLife = newLife;
  }

  request(write: RaftWrite): void {
    this.#waiting.push(write);
    if (write.snapshot === undefined) return;
    this.#snapshots += 1;
    this.#grownBytes = 0;
  }

  /** Writes down what the copy has already. */
  requestWhole(): void {
    this.#wholeDue = true;
  }

  /** The next thing to write, unless one is under way or there is none. */
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

  /** Begins the next generation with all that the copy has. */
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
    // Should it turn out that the other life was begun by mistake, this is all there is of this one.
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

  /** The step that was taken last is durable. Returns the writes that Raft must be told of. */
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
 * Reads what the disk has.
 *
 * Shape:  the files of the journal's folder, in any order, with no other files among them but those of
 *         fileName() (unfinished ones have other names).
 *         `newest` is the newest dialect of the log that this peer speaks.
 * Errors: CORRUPT_FILE, with file, offset and what to do. With `salvage` only for a file of which nothing is
 *         whole; otherwise all that stands before what is broken is taken, and nothing is to be cut off.
 *         NOT_SUPPORTED for a file that a newer gam has written to: it is to stay as it is.
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
  const { payloads, endBytes, sequence } = readRecords(file.name, file.bytes, salvage);
  if (sequence === 0) {
    // A file gets its name only when its first record is durable.
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

/** The journal of a new cluster, whose only voter is `self`. Nothing of it is on the disk yet. */
export function bootstrapJournal(self: NodeId): Recovered {
  const copy = new Copy();
  copy.write({ ...bootstrap(self), life: firstLife(self) });
  const journal = new Journal(copy);
  journal.requestWhole();
  return { restored: restoredOf(copy), journal, cut: undefined };
}

/** The journal of a peer that joins. Nothing of it is on the disk yet. */
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

/** Tells the journal's files from unfinished ones, which a crash may leave. */
export function isJournalFile(name: string): boolean {
  return namePattern.test(name);
}

function restoredOf(copy: Copy): Restored {
  return { hardState: copy.hardState, snapshot: copy.snapshot, entries: [...copy.entries] };
}

/**
 * Errors: CORRUPT_FILE for what was written whole and is nothing to go on from; NOT_SUPPORTED for what a newer gam
 * wrote.
 */
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
