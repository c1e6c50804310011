/**
 * Faults: planted mistakes, one in each place where a mistake would do harm. They prove that the
 * simulator finds bugs: a test catches each of them (faults.test.ts).
 */
import type { PeerFaults } from "@gam/peer";

export interface Planted {
  readonly peer?: PeerFaults;
  /** The disk reports a step as durable too early. */
  readonly diskLies?: boolean;
  /** The next release writes its new change as if every release could read it. */
  readonly unnamedChange?: boolean;
}

export const planted = {
  "raft: acknowledges before the disk has it": {
    peer: { raft: new Set(["acknowledgeBeforePersist"]) },
  },
  "raft: votes for two in one term": { peer: { raft: new Set(["forgetVote"]) } },
  "raft: votes for a candidate that lacks entries": {
    peer: { raft: new Set(["voteForStaleLog"]) },
  },
  "disk: says durable when it is not": { diskLies: true },
  "versions: a new change does not name its dialect": { unnamedChange: true },
  "reconciler: what has ended counts as running": {
    peer: { orchestrator: new Set(["ended-counts-as-running"]) },
  },
  "reconciler: surplus is forgotten": { peer: { orchestrator: new Set(["surplus-forgotten"]) } },
  "reconciler: doubles are kept": { peer: { orchestrator: new Set(["doubles-kept"]) } },
  "reconciler: what replaces a task does not wait for it": {
    peer: { orchestrator: new Set(["replacement-does-not-wait"]) },
  },
  "reconciler: a due job runs twice": { peer: { orchestrator: new Set(["due-twice"]) } },
  "reconciler: missed runs are forgotten": {
    peer: { orchestrator: new Set(["missed-forgotten"]) },
  },
  "reconciler: new tasks get no secrets": {
    peer: { orchestrator: new Set(["content-forgotten"]) },
  },
  "allocator: addresses of services count as free": {
    peer: { allocator: new Set(["services-forgotten"]) },
  },
  "allocator: nothing is ever freed": { peer: { allocator: new Set(["nothing-freed"]) } },
  "allocator: bridges stay": { peer: { allocator: new Set(["bridges-kept"]) } },
  "membership: one watcher convicts": {
    peer: {
      membership: { oneWatcherIsEnough: true, noIndirectProbe: true, noPatienceAlone: true },
    },
  },
  "membership: a host that refuses is lost at once": { peer: { membership: { noGrace: true } } },
  "worker: says running before it runs": { peer: { worker: { runningEarly: true } } },
  "worker: files are thought to survive a power loss": {
    peer: { worker: { filesForgotten: true } },
  },
  "worker: what leaves is stopped before all nodes know": { peer: { worker: { hurried: true } } },
} satisfies Record<string, Planted>;

export type FaultName = keyof typeof planted;
