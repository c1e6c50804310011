import type { RaftFaults } from "@gam/consensus";
import type { NodeId } from "@gam/core";
import type { MembershipFaults } from "@gam/membership";
import type { AllocatorFaults } from "@gam/network";
import type { PlanFaults as OrchestratorFaults } from "@gam/orchestrator";
import type { Dialect } from "@gam/state";
import type { WorkerFaults } from "@gam/worker";

export interface PeerConfig {
  readonly self: NodeId;
  /** Voters at most, odd. */
  readonly votersMax: number;
  /** A silent voter keeps its vote for so long where no other manager can take it over. */
  readonly voteSilenceMs: number;
  /** A log of more entries than this is worth a snapshot. */
  readonly logEntriesMax: number;
  /** Started from what salvaged() left of its journal: it takes no part. */
  readonly isMute?: boolean;
  /** The dialect of the log that it speaks; what this gam speaks unless said otherwise. */
  readonly dialect?: Dialect;
  /** Only simulations plant any. */
  readonly faults?: PeerFaults;
}

/** Known mistakes of the machines in here, by which a simulation proves that it would see them. */
export interface PeerFaults {
  readonly raft?: RaftFaults;
  readonly membership?: MembershipFaults;
  readonly orchestrator?: OrchestratorFaults;
  readonly allocator?: AllocatorFaults;
  readonly worker?: WorkerFaults;
}
