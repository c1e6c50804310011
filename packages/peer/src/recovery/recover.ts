/**
 * Recover: the log with which a survivor goes on alone, made of what its disk has.
 *
 * All of its log is kept, also what it does not know to be committed: each entry was put there by a leader, and
 * some of them may have been acknowledged to clients by voters that are gone. What was never acknowledged may
 * happen by that, as it may with any write whose answer was lost. What this peer has not got is lost.
 *
 * An entry that cannot be read or applied is left out, as every peer left it out, and is named. Indexes and terms go on far behind those of the old life, so that none means
 * two things: to clients, whose versions are indexes, and to people who read logs.
 */
import {
  type Configuration,
  type Entry,
  type HardState,
  readConfiguration,
  type Snapshot,
} from "@gam/consensus";
import { GamError, messageOf, type NodeId, type ProposalId } from "@gam/core";
import {
  dialectOfProposal,
  type Proposal,
  readDump,
  readProposal,
  refusalOfDialect,
  Store,
  spokenDialect,
  type View,
} from "@gam/state";

/** More than anybody has written that this peer has not heard of. */
const indexGap = 1_000_000;
const termGap = 1_000;

export interface SurvivorLog {
  readonly hardState: HardState;
  readonly snapshot?: Snapshot | undefined;
  readonly entries: readonly Entry[];
}

/** What a person has decided. */
export interface RecoverOrder {
  /** Random, 25 characters. */
  readonly id: string;
  /** Nodes that do not answer. Their tasks go to others: who is left alone cannot tell them from a cut cable. */
  readonly gone: readonly NodeId[];
  /** Wall clock of this peer. */
  readonly atMs: number;
}

export interface SkippedEntry {
  readonly index: number;
  readonly reason: string;
}

export interface Recovery {
  readonly hardState: HardState;
  readonly snapshot: Snapshot;
  /** That held at the end of the old life. */
  readonly configuration: Configuration;
  /** The state that it has. */
  readonly view: View;
  /** The last entry of the old life that is kept. */
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** Entries that are kept although this peer does not know that they are committed. */
  readonly unconfirmed: number;
  readonly skipped: readonly SkippedEntry[];
}

/**
 * Shape:  `undefined` when there is no state in which `self` is a node.
 * Errors: those of a snapshot that cannot be read, as they are.
 */
export function recoverLog(
  log: SurvivorLog,
  self: NodeId,
  order?: RecoverOrder,
): Recovery | undefined {
  const { hardState, snapshot, entries } = log;
  const { store, skipped } = replay(log);
  if (store.cluster === undefined || store.node(self) === undefined) return undefined;
  const last = entries.at(-1) ?? snapshot;
  const lastIndex = last?.index ?? 0;
  const index = Math.max(lastIndex, store.index) + indexGap;
  takeLeave(store, index, order);
  const term = Math.max(hardState.term, last?.term ?? 0) + termGap;
  return {
    hardState: { term, votedFor: undefined, commit: index },
    snapshot: {
      index,
      term,
      configuration: { voters: [self], votersOutgoing: [], learners: [], standbys: [] },
      data: store.dump(),
    },
    configuration: configurationOf(log),
    view: store,
    lastIndex,
    lastTerm: last?.term ?? 0,
    unconfirmed: entries.filter((entry) => entry.index > hardState.commit).length,
    skipped,
  };
}

function configurationOf({ snapshot, entries }: SurvivorLog): Configuration {
  const last = entries.findLast(({ kind }) => kind === "configuration");
  const none = { voters: [], votersOutgoing: [], learners: [], standbys: [] };
  return last === undefined ? (snapshot?.configuration ?? none) : readConfiguration(last.data);
}

/** The last step of the old life: those who do not answer are down. */
function takeLeave(store: Store, index: number, order: RecoverOrder | undefined): void {
  const gone = (order?.gone ?? []).filter((id) => store.node(id) !== undefined);
  if (order === undefined || gone.length === 0) return store.skip(index);
  const Message = "did not answer when the cluster was recovered";
  const status = { State: "down", Message } as const;
  const changes = gone.map((id) => ({ kind: "judgeNode", id, status }) as const);
  store.skip(index - 1);
  store.apply(index, { id: order.id as ProposalId, atMs: order.atMs, changes });
}

/** The state after the whole log, and what is left out of it. Errors: those of readDump(). */
function replay({ snapshot, entries }: SurvivorLog): {
  readonly store: Store;
  readonly skipped: readonly SkippedEntry[];
} {
  const store = new Store();
  const skipped: SkippedEntry[] = [];
  if (snapshot !== undefined && snapshot.data.length > 0) store.restore(readDump(snapshot.data));
  for (const { index, kind, data } of entries) {
    if (index <= store.index) continue;
    const reason = kind === "data" ? problemOf(store, index, data) : undefined;
    if (reason !== undefined) skipped.push({ index, reason });
    if (store.index < index) store.skip(index);
  }
  return { store, skipped };
}

/** Why the entry changes nothing. Undefined when it has been applied, or refused as others were. */
function problemOf(store: Store, index: number, data: Uint8Array): string | undefined {
  let proposal: Proposal;
  try {
    proposal = readProposal(data);
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    return thrown.message;
  }
  const needed = dialectOfProposal(proposal);
  if (needed > spokenDialect.newest && refusalOfDialect(store, needed) === undefined)
    return `it needs dialect ${needed} of the log; upgrade gam on this host and recover then`;
  const { thrown } = store.apply(index, proposal);
  return thrown === undefined ? undefined : messageOf(thrown);
}
