import type { NodeId } from "@gam/core";
import type { NodeNetwork, NodeState, Usage } from "@gam/state";
import type { Pools } from "./gam-doctor.ts";

/** What one peer is to the mesh. `worker` never votes and never leads. */
export type PeerRole = "leader" | "voter" | "learner" | "worker";

export interface NodeSummary {
  readonly id: NodeId;
  readonly hostname: string;
  /** Best address of the mesh, `host:port`. */
  readonly address: string;
  readonly state: NodeState;
  /** Why it is in that state; "" where there is nothing to say. */
  readonly message: string;
  /** The state is what a leader wrote last; this is whether the peer that is asked hears it now. */
  readonly heard: boolean;
  /** Whether its engine answers, as it said last. Without one it runs nothing, and votes all the same. */
  readonly engine: boolean;
  readonly role: PeerRole;
  readonly availability: string;
  /** Last gossiped usage; null before the first word. */
  readonly usage: Usage | null;
  /** What it says of its part in networks across hosts; null before the first word. */
  readonly network: Pick<NodeNetwork, "encryption" | "problem"> | null;
  /** Tasks that run there. */
  readonly tasks: number;
}

/** Answer of `GET /gam/v1/status`: what one peer knows of the mesh. JSON as it stands. */
export interface GamStatus {
  readonly version: string;
  readonly self: NodeId;
  readonly state: "inactive" | "active";
  readonly leader: NodeId | null;
  readonly term: number;
  /** How long no leader has been known; 0 while there is one. */
  readonly leaderlessMs: number;
  /** How many lives the cluster has had, this one included: one more with each "gam recover". */
  readonly life: number;
  /** Its journal is spoilt: it takes no part in the mesh, and waits for "gam recover". */
  readonly isMute: boolean;
  /** Nodes that go on in another life than this peer, by a recovery of their own. */
  readonly rivals: readonly NodeId[];
  /** Raft index of the last entry applied here. */
  readonly applied: number;
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly nodes: readonly NodeSummary[];
  readonly pools: Pools;
  /** Nodes that the replacement of the root key waits for; null where there is none. */
  readonly rootAwaits: readonly NodeId[] | null;
  /** What the asked peer has refused or left out in the last day, with the time; the newest last. */
  readonly troubles: readonly string[];
  /** What the networks of the asked host lack, and what of the state is left out there, in sentences. */
  readonly problems: readonly string[];
}
