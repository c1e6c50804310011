/**
 * Vetting: what this peer lets into its log and its state, and reads out of the log.
 *
 * Decides whether bytes are something that every peer can apply: proposals that go into the log here, entries
 * and snapshots that a leader sends. Each is read once; what was read is kept until it is applied.
 */
import { type Acceptance, type Entry, entryBytesMax, type Snapshot } from "@gam/consensus";
import { encode, GamError, messageOf } from "@gam/core";
import {
  type Applied,
  type Change,
  checkChange,
  checkProposal,
  type Dump,
  type Proposal,
  readDump,
  readProposal,
  readRows,
  type Store,
} from "@gam/state";
import { journalRemedy } from "./record.ts";
import type { Tell } from "./troubles.ts";

export interface Written {
  readonly proposal: Proposal;
  readonly data: Uint8Array;
}

export class Vetting implements Acceptance {
  readonly #tell: Tell;
  readonly #proposals = new WeakMap<Uint8Array, Proposal>();
  #dump: { readonly data: Uint8Array; readonly dump: Dump } | undefined;
  #badIndex = 0;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  /** The last entry that could not be applied; 0 for none in this life. No honest peer takes it from this one. */
  get badIndex(): number {
    return this.#badIndex;
  }

  /** The proposal in the form in which it is stored, and as bytes for the log; or why nobody would take it. */
  tryWrite(asked: Proposal): Written | { readonly problem: string } {
    let written: Written | undefined;
    const problem = problemIn(() => {
      const proposal = checkProposal(asked, "proposal");
      const data = encode(proposal);
      written = { proposal, data };
      if (data.length <= entryBytesMax) return;
      const message = `the write takes ${data.length} bytes, and ${entryBytesMax} are allowed`;
      throw new GamError("BAD_FRAME", message);
    });
    return problem === undefined && written !== undefined ? written : { problem: problem ?? "" };
  }

  /** The changes in the form in which they are stored, without those that nobody would take. */
  sound<T extends Change>(changes: readonly T[], bad: (change: T, why: string) => void): T[] {
    return changes.flatMap((change) => {
      const found: T[] = [];
      const why = problemIn(() => found.push(checkChange(change, "change") as T));
      if (why !== undefined) bad(change, why);
      return found;
    });
  }

  entry(data: Uint8Array): boolean {
    return problemIn(() => this.#proposals.set(data, readProposal(data))) === undefined;
  }

  /** It says itself for which place in the log it stands; entries would not follow it at another. */
  snapshot({ index, data }: Snapshot): boolean {
    return (
      problemIn(() => {
        this.#dump = { data, dump: dumpAt(index, data) };
      }) === undefined
    );
  }

  /**
   * Applies an entry. One that nobody can read, or that throws, changes nothing, on no peer, and is told:
   * it came into the log in another way than through here.
   */
  apply(
    store: Store,
    { index, kind, data }: Entry,
  ): (Applied & { proposal: Proposal }) | undefined {
    let proposal: Proposal | undefined;
    if (kind === "data") {
      const why = problemIn(() => {
        proposal = this.#proposals.get(data) ?? readProposal(data);
      });
      this.#proposals.delete(data);
      if (why !== undefined) this.#unapplied(index, why);
    }
    if (proposal === undefined) {
      store.skip(index);
      return undefined;
    }
    const applied = store.apply(index, proposal);
    if (applied.thrown !== undefined) this.#unapplied(index, messageOf(applied.thrown));
    return { ...applied, proposal };
  }

  #unapplied(index: number, reason: string): void {
    this.#badIndex = index;
    const text = "Refused an entry of the log that cannot be applied";
    this.#tell(`entry ${index}`, text, { index, reason });
  }

  /** The state of a snapshot that snapshot() has let in. */
  takeDump(index: number, data: Uint8Array): Dump {
    const known = this.#dump;
    this.#dump = undefined;
    return known?.data === data ? known.dump : dumpAt(index, data);
  }
}

/**
 * The state of a snapshot of this peer's own disk. It was this peer's own state, so one that misses its shape is
 * taken and told: nothing else knows what stood there.
 *
 * Errors: CORRUPT_FILE, where it is no state at all.
 */
export function restoreOwn(store: Store, { index, data }: Snapshot, tell: Tell): void {
  if (data.length === 0) return;
  const why = problemIn(() => store.restore(dumpAt(index, data)));
  if (why === undefined) return;
  const rows = problemIn(() => store.restore(readRows(data)));
  if (rows === undefined && store.index === index) {
    return tell("snapshot", "The state on this disk has not the shape that it should have", {
      why,
    });
  }
  const message = `Cannot read journal: its snapshot is no state: ${why}. ${journalRemedy}`;
  throw new GamError("CORRUPT_FILE", message);
}

function dumpAt(index: number, data: Uint8Array): Dump {
  const dump = readDump(data);
  if (dump.index === index) return dump;
  throw new GamError(
    "BAD_FRAME",
    `Cannot read snapshot: it is of entry ${dump.index}, not ${index}`,
  );
}

/** Whatever reading throws is a reason to refuse: what comes from others must not end this peer. */
function problemIn(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (thrown) {
    return messageOf(thrown);
  }
}
