/**
 * Recover: the log with which a survivor continues alone, made from its disk.
 *
 * It keeps its whole log, even entries that it does not know to be committed. A leader put each of them there,
 * and some of them may have been acknowledged to clients by voters that are gone. So a write that was never
 * acknowledged may take effect, as may any write whose answer was lost. Entries that this peer does not have
 * are lost.
 *
 * An entry that cannot be read or applied is left out, as on every peer, and is named. Indexes and terms
 * continue far beyond those of the old life, so that none is used twice: clients take indexes for versions, and
 * people read them in logs.
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

/** More entries than the other voters can have written without this peer. */
const indexGap = 1_000_000;
const termGap = 1_000;

export interface SurvivorLog {
  readonly hardState: HardState;
  readonly snapshot?: Snapshot | undefined;
  readonly entries: readonly Entry[];
}

/** A person's decision to recover. */
export interface RecoverOrder {
  /** Random, 25 characters. */
  readonly id: string;
  /**
   * Nodes that do not answer. Their tasks move to other nodes: a survivor cannot tell a lost host from a cut
   * cable.
   */
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
  /** The last one of the old life. */
  readonly configuration: Configuration;
  /** The recovered state. */
  readonly view: View;
  /** The last entry of the old life that is kept. */
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** Number of kept entries that this peer does not know to be committed. */
  readonly unconfirmed: number;
  readonly skipped: readonly SkippedEntry[];
}

/**
 * Returns: the survivor's new log; undefined if it has no state in which `self` is a node.
 * Errors: those of a snapshot that cannot be read, unchanged.
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

/** Ends the old life: marks the nodes that do not answer as down. */
function takeLeave(store: Store, index: number, order: RecoverOrder | undefined): void {
  const gone = (order?.gone ?? []).filter((id) => store.node(id) !== undefined);
  if (order === undefined || gone.length === 0) return store.skip(index);
  const Message = "did not answer when the cluster was recovered";
  const status = { State: "down", Message } as const;
  const changes = gone.map((id) => ({ kind: "judgeNode", id, status }) as const);
  store.skip(index - 1);
  store.apply(index, { id: order.id as ProposalId, atMs: order.atMs, changes });
}

/** Returns: the state after the whole log, and the entries left out of it. Errors: those of readDump(). */
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

/**
 * Applies an entry. Returns: why it is left out; undefined when it was applied, or refused as on other peers.
 */
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
