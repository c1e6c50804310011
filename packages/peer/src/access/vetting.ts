/**
 * Vetting: what this peer lets into its log and its state, and reads out of the log.
 *
 * Decides whether bytes are something that every peer can apply: proposals that go into the log here, entries
 * and snapshots that a leader sends. Each is read once; what was read is kept until it is applied.
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
  /** What tryWrite() has checked and encoded, by its changes: the leader asks twice for its own proposals. */
  readonly #written = new WeakMap<readonly Change[], Written>();
  /** Bytes that this peer has encoded itself. They are decoded as on every other peer, and not checked again. */
  readonly #own = new WeakSet<Uint8Array>();
  #dump: { readonly data: Uint8Array; readonly dump: Dump } | undefined;
  #badIndex = 0;

  constructor(dialect: Dialect, tell: Tell) {
    this.#dialect = dialect;
    this.#tell = tell;
  }

  /** The last entry that could not be applied; 0 for none in this life. No honest peer takes it from this one. */
  get badIndex(): number {
    return this.#badIndex;
  }

  /** The proposal in the form in which it is stored, and as bytes for the log; or why nobody would take it. */
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

  /** What another peer asks for, or why nobody would take it. Without changes where it needs a newer dialect. */
  tryRead(asked: Envelope): { readonly proposal: Proposal } | { readonly problem: string } {
    let proposal: Proposal | undefined;
    const problem = problemIn(() => {
      proposal = readEnvelope(asked, "proposal", this.#dialect);
    });
    return proposal === undefined ? { problem: problem ?? "" } : { proposal };
  }

  /** Its changes are there, and this peer cannot read them. */
  isTooNew(proposal: Proposal): boolean {
    return dialectOfProposal(proposal) > this.#dialect.newest;
  }

  /** The changes in the form in which they are stored, without those that nobody would take. */
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

  /** The bytes of an entry with these changes, which sound() has checked, and with the dialect that they need. */
  write(proposal: Proposal): Uint8Array {
    return this.#encoded(this.#stamped(proposal));
  }

  #encoded(checked: Proposal): Uint8Array {
    const data = encode(checked);
    this.#own.add(data);
    return data;
  }

  /** Errors: BAD_FRAME for changes that this peer does not know itself. */
  #stamped({ id, atMs, changes }: Proposal): Proposal {
    const needed = insistOnDialect(changes, "proposal", this.#dialect);
    const dialect = needed > firstDialect ? { dialect: needed } : {};
    return { id, atMs, ...dialect, changes };
  }

  /**
   * Also one that needs a newer dialect than this peer speaks: it cannot read the changes, but it must hold the
   * entry, for whoever can, and what becomes of it follows from the dialect (barrierAt()).
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

  /** It says itself for which place in the log it stands; entries would not follow it at another. */
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
   * Why this peer must not apply an entry and those after it: it cannot read it, and others apply it. `undefined`
   * where all peers do the same with it.
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

  /** The state of a snapshot that snapshot() has let in. */
  takeDump(index: number, data: Uint8Array): Dump {
    const known = this.#dump;
    this.#dump = undefined;
    return known?.data === data ? known.dump : dumpAt(index, data, this.#dialect.newest);
  }

  /**
   * The state of a snapshot of this peer's own disk. It was this peer's own state, so one that misses its shape is
   * taken and told: nothing else knows what stood there.
   *
   * Errors: CORRUPT_FILE, where it is no state at all; NOT_SUPPORTED where a newer gam has written it.
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
      const message = `Cannot read journal: its snapshot is no state: ${why}. ${journalRemedy}`;
      throw new GamError("CORRUPT_FILE", message);
    }
    this.#tell("snapshot", "The state on this disk has not the shape that it should have", { why });
  }
}

/**
 * An entry whose changes are nonsense to those who could read them, and which the others refuse for its dialect: then
 * all refuse it for that. Its outcome is part of the state.
 */
function envelopeAbove(store: Store, data: Uint8Array): Proposal | undefined {
  let found: Proposal | undefined;
  problemIn(() => {
    const envelope = { ...checkEnvelope(decode(data), "entry"), changes: [] };
    if (refusalOfDialect(store, dialectOfProposal(envelope)) !== undefined) found = envelope;
  });
  return found;
}

/** Of bytes that this peer has encoded from a checked proposal. */
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

/** Why `read` throws, which is a reason to refuse. Undefined where it does not. */
function problemIn(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (thrown) {
    // Catches all: what comes from others must not end this peer.
    return messageOf(thrown);
  }
}
