/**
 * Vetting: what this peer lets into its log and its state, and reads out of the log.
 *
 * Decides whether every peer can apply some bytes: proposals that enter the log here, and entries and snapshots
 * from a leader. Reads each of them once, and keeps the result until it is applied.
 */
import { type Acceptance, type Entry, entryBytesMax, type Snapshot } from "@gam/consensus";
import { decode, encode, GamError, messageOf } from "@gam/core";
import {
  type Applied,
  type Change,
  checkChange,
  checkEnvelope,
  checkProposal,
  type Dialect,
  type Dump,
  dialectOfProposal,
  type Envelope,
  firstDialect,
  insistOnDialect,
  type Proposal,
  readDump,
  readEnvelope,
  readProposal,
  readRows,
  refusalOfDialect,
  type Store,
  type View,
} from "@gam/state";
import { journalRemedy } from "../journal/record.ts";
import type { Tell } from "./troubles.ts";

export interface Written {
  readonly proposal: Proposal;
  readonly data: Uint8Array;
}

export class Vetting implements Acceptance {
  readonly #dialect: Dialect;
  readonly #tell: Tell;
  readonly #proposals = new WeakMap<Uint8Array, Proposal>();
  /** Results of tryWrite(), by changes: the leader asks twice for its own proposals. */
  readonly #written = new WeakMap<readonly Change[], Written>();
  /**
   * Bytes that this peer encoded itself. It decodes them as every other peer does, but does not check them
   * again.
   */
  readonly #own = new WeakSet<Uint8Array>();
  #dump: { readonly data: Uint8Array; readonly dump: Dump } | undefined;
  #badIndex = 0;

  constructor(dialect: Dialect, tell: Tell) {
    this.#dialect = dialect;
    this.#tell = tell;
  }

  /**
   * Index of the last entry that could not be applied; 0 for none in this life. No other peer accepts the
   * entry, so this peer must send them a snapshot instead.
   */
  get badIndex(): number {
    return this.#badIndex;
  }

  /** Returns: the proposal as it is stored and its bytes for the log, or why no peer would accept it. */
  tryWrite(asked: Proposal): Written | { readonly problem: string } {
    const known = this.#written.get(asked.changes);
    if (known?.proposal.id === asked.id && known.proposal.atMs === asked.atMs) return known;
    let written: Written | undefined;
    const problem = problemIn(() => {
      const proposal = this.#stamped(checkProposal(asked, "proposal"));
      const data = this.#encoded(proposal);
      written = { proposal, data };
      if (data.length <= entryBytesMax) return;
      const message = `the write takes ${data.length} bytes, and ${entryBytesMax} are allowed`;
      throw new GamError("BAD_FRAME", message);
    });
    if (problem !== undefined || written === undefined) return { problem: problem ?? "" };
    this.#written.set(written.proposal.changes, written);
    return written;
  }

  /**
   * Returns: another peer's proposal, or why no peer would accept it. A proposal that needs a newer dialect has
   *         no changes.
   */
  tryRead(asked: Envelope): { readonly proposal: Proposal } | { readonly problem: string } {
    let proposal: Proposal | undefined;
    const problem = problemIn(() => {
      proposal = readEnvelope(asked, "proposal", this.#dialect);
    });
    return proposal === undefined ? { problem: problem ?? "" } : { proposal };
  }

  /** Whether the proposal needs a newer dialect, so that this peer cannot read its changes. */
  isTooNew(proposal: Proposal): boolean {
    return dialectOfProposal(proposal) > this.#dialect.newest;
  }

  /**
   * Returns: the changes as they are stored, without those that no peer would accept. Calls `bad` for each of
   *         those.
   */
  sound<T extends Change>(
    changes: readonly T[],
    view: View,
    bad: (change: T, why: string) => void,
  ): T[] {
    return changes.flatMap((change) => {
      const found: T[] = [];
      const why = problemIn(() => {
        const checked = checkChange(change, "change") as T;
        const needed = insistOnDialect([checked], "change", this.#dialect);
        const refusal = refusalOfDialect(view, needed);
        if (refusal !== undefined) throw new GamError(refusal.code, refusal.message);
        found.push(checked);
      });
      if (why !== undefined) bad(change, why);
      return found;
    });
  }

  /** Returns: the bytes of an entry. sound() must have checked the changes. Adds the dialect that they need. */
  write(proposal: Proposal): Uint8Array {
    return this.#encoded(this.#stamped(proposal));
  }

  #encoded(checked: Proposal): Uint8Array {
    const data = encode(checked);
    this.#own.add(data);
    return data;
  }

  /** Errors: BAD_FRAME for changes that this peer itself does not know. */
  #stamped({ id, atMs, changes }: Proposal): Proposal {
    const needed = insistOnDialect(changes, "proposal", this.#dialect);
    const dialect = needed > firstDialect ? { dialect: needed } : {};
    return { id, atMs, ...dialect, changes };
  }

  /**
   * Whether this peer may hold the entry. Accepts an entry that needs a newer dialect: this peer cannot read
   * the changes, but must keep the entry for peers that can. barrierAt() decides what happens to it.
   */
  entry(data: Uint8Array): boolean {
    return problemIn(() => this.#read(data)) === undefined;
  }

  #read(data: Uint8Array): Proposal {
    const known = this.#proposals.get(data);
    if (known !== undefined) return known;
    const proposal = this.#own.has(data) ? ownProposal(data) : readProposal(data, this.#dialect);
    this.#proposals.set(data, proposal);
    return proposal;
  }

  /**
   * Whether this peer may install the snapshot. Its data names its own index. With another index, the entries
   * after the snapshot would not follow its state.
   */
  snapshot({ index, data }: Snapshot): boolean {
    const why = problemIn(() => {
      this.#dump = { data, dump: dumpAt(index, data, this.#dialect.newest) };
    });
    if (why !== undefined) {
      this.#tell("snapshot taken", "Refused a snapshot of the state", { index, reason: why });
    }
    return why === undefined;
  }

  /**
   * Returns: why this peer must not apply this entry and later ones: it cannot read the entry, but others apply
   *         it. Undefined where all peers handle the entry in the same way.
   */
  barrierAt(store: Store, { index, kind, data }: Entry): string | undefined {
    let proposal: Proposal | undefined;
    if (kind === "data")
      problemIn(() => {
        proposal = this.#read(data);
      });
    if (proposal === undefined) return undefined;
    const needed = dialectOfProposal(proposal);
    if (!this.isTooNew(proposal) || store.outcomeOf(proposal.id) !== undefined) return undefined;
    if (refusalOfDialect(store, needed) !== undefined) return undefined;
    return (
      `gam on this host is too old to follow the log: entry ${index} needs dialect ${needed}, ` +
      `and this gam reads up to ${this.#dialect.newest}. Upgrade gam on this host`
    );
  }

  /**
   * Applies an entry. An entry that no peer can read, or that throws, changes nothing on any peer and is
   * reported: it did not enter the log through these checks.
   */
  apply(
    store: Store,
    { index, kind, data }: Entry,
  ): (Applied & { proposal: Proposal }) | undefined {
    let proposal: Proposal | undefined;
    if (kind === "data") {
      const why = problemIn(() => {
        proposal = this.#read(data);
      });
      this.#proposals.delete(data);
      if (why !== undefined) {
        this.#unapplied(index, why);
        proposal = envelopeAbove(store, data);
      }
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

  /** Returns: the state of a snapshot that snapshot() has accepted. */
  takeDump(index: number, data: Uint8Array): Dump {
    const known = this.#dump;
    this.#dump = undefined;
    return known?.data === data ? known.dump : dumpAt(index, data, this.#dialect.newest);
  }

  /**
   * Restores the state from a snapshot on this peer's own disk. A state that does not fit its schema is loaded
   * and reported: there is no other copy of it here.
   *
   * Errors: CORRUPT_FILE where it is not a state at all; NOT_SUPPORTED where a newer gam wrote it.
   */
  restoreOwn(store: Store, { index, data }: Snapshot): void {
    if (data.length === 0) return;
    let why: string;
    try {
      store.restore(dumpAt(index, data, this.#dialect.newest));
      return;
    } catch (thrown) {
      if (thrown instanceof GamError && thrown.code === "NOT_SUPPORTED") throw thrown;
      why = messageOf(thrown);
    }
    const rows = problemIn(() => store.restore(readRows(data)));
    if (rows !== undefined || store.index !== index) {
      const message = `Cannot read journal: its snapshot holds no valid state: ${why}. ${journalRemedy}`;
      throw new GamError("CORRUPT_FILE", message);
    }
    this.#tell("snapshot", "Loaded a state from this disk that does not fit its schema", { why });
  }
}

/**
 * Returns: the proposal without its changes, for an entry whose changes are invalid and whose dialect some member
 *         does not speak. Peers that cannot read the changes refuse it for its dialect. So must those that can,
 *         because the outcome is part of the state.
 */
function envelopeAbove(store: Store, data: Uint8Array): Proposal | undefined {
  let found: Proposal | undefined;
  problemIn(() => {
    const envelope = { ...checkEnvelope(decode(data), "entry"), changes: [] };
    if (refusalOfDialect(store, dialectOfProposal(envelope)) !== undefined) found = envelope;
  });
  return found;
}

/** Decodes bytes that this peer encoded from a checked proposal. */
function ownProposal(data: Uint8Array): Proposal {
  const { changes, ...head } = checkEnvelope(decode(data), "entry");
  return { ...head, changes: changes as readonly Change[] };
}

/** Errors: BAD_FRAME; NOT_SUPPORTED for a state that a peer which speaks `newest` cannot hold. */
function dumpAt(index: number, data: Uint8Array, newest: number): Dump {
  const dump = readDump(data);
  if (dump.dialect > newest) {
    throw new GamError(
      "NOT_SUPPORTED",
      `Cannot read snapshot: its log has used dialect ${dump.dialect}, and this gam reads up to ${newest}. ` +
        "Upgrade gam on this host",
    );
  }
  if (dump.index === index) return dump;
  throw new GamError(
    "BAD_FRAME",
    `Cannot read snapshot: it is of entry ${dump.index}, not ${index}`,
  );
}

/** Returns: the reason why `read` throws; undefined where it does not. */
function problemIn(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (thrown) {
    // Catches all: another peer's data must not end this peer.
    return messageOf(thrown);
  }
}
