import type { RaftFaults } from "@gam/consensus";
import type { NodeId } from "@gam/core";
import type { MembershipFaults } from "@gam/membership";
import type { AllocatorFaults } from "@gam/network";
import type { PlanFaults as OrchestratorFaults } from "@gam/orchestrator";
import type { Dialect } from "@gam/state";
import type { WorkerFaults } from "@gam/worker";

export interface PeerConfig {
  readonly self: NodeId;
  /** Maximum number of voters, odd. */
  readonly votersMax: number;
  /** How long a silent voter keeps its vote when no other manager can take it over. */
  readonly voteSilenceMs: number;
  /** Take a snapshot when the log has more entries than this. */
  readonly logEntriesMax: number;
  /** The peer was started from the result of salvaged(): it takes no part. */
  readonly isMute?: boolean;
  /** The dialect of the log that the peer speaks; default: this gam's. */
  readonly dialect?: Dialect;
  /** Only simulations set these. */
  readonly faults?: PeerFaults;
}

/** Known bugs to plant in the machines, by which a simulation proves that it would find them. */
export interface PeerFaults {
  readonly raft?: RaftFaults;
  readonly membership?: MembershipFaults;
  readonly orchestrator?: OrchestratorFaults;
  readonly allocator?: AllocatorFaults;
  readonly worker?: WorkerFaults;
}
