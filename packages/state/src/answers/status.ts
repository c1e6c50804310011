/**
 * Status: the answer of `GET /gam/v1/status`, what one peer knows of the mesh.
 *
 * The agent makes it and the gam command reads it, so the shape and its check stand here, once. The type of
 * the check says that no field is forgotten. A newer agent may add fields: readers of today drop them.
 */
import { type Check, check, type NodeId } from "@gam/core";
import { checkUsage, type Usage } from "../checks/usage.ts";
import type { Availability, NodeNetwork, NodeState } from "../objects/node.ts";

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
  readonly availability: Availability;
  /** Last gossiped usage; null before the first word. */
  readonly usage: Usage | null;
  /** What it says of its part in networks across hosts; null before the first word. */
  readonly network: Pick<NodeNetwork, "encryption" | "problem"> | null;
  /** Tasks that run there. */
  readonly tasks: number;
}

export interface Pools {
  /** Subnets that networks without one of their own can get, in all and still. */
  readonly subnets: number;
  readonly subnetsFree: number;
  readonly networks: readonly {
    readonly name: string;
    /** CIDR. */
    readonly subnet: string;
    /** Addresses that tasks, services, bridges and plain containers hold, and those that there are for them. */
    readonly used: number;
    readonly size: number;
  }[];
}

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

const nodesMax = 10_000;
const sentencesMax = 10_000;
const networksMax = 100_000;
const sentence = check.string(65_536);
const nodeId = check.id<NodeId>();
const nodeIds = check.list(nodeId, nodesMax);

const checkNodeSummary: Check<NodeSummary> = check.object({
  id: nodeId,
  hostname: check.string(),
  address: check.string(),
  state: check.literal("unknown", "down", "ready", "disconnected"),
  message: sentence,
  heard: check.boolean,
  engine: check.boolean,
  role: check.literal("leader", "voter", "learner", "worker"),
  availability: check.literal("active", "pause", "drain"),
  usage: check.orNull(checkUsage),
  network: check.orNull(
    check.object({
      encryption: check.literal("kernel", "userspace", "none"),
      problem: sentence,
    }),
  ),
  tasks: check.integer(),
});

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkStatus: Check<GamStatus> = check.object({
  version: check.string(),
  self: nodeId,
  state: check.literal("inactive", "active"),
  leader: check.orNull(nodeId),
  term: check.integer(),
  leaderlessMs: check.number(),
  life: check.integer(),
  isMute: check.boolean,
  rivals: nodeIds,
  applied: check.integer(),
  voters: nodeIds,
  learners: nodeIds,
  nodes: check.list(checkNodeSummary, nodesMax),
  pools: check.object({
    subnets: check.integer(),
    subnetsFree: check.integer(),
    networks: check.list(
      check.object({
        name: check.string(),
        subnet: check.string(),
        used: check.integer(),
        size: check.integer(),
      }),
      networksMax,
    ),
  }),
  rootAwaits: check.orNull(nodeIds),
  troubles: check.list(sentence, sentencesMax),
  problems: check.list(sentence, sentencesMax),
});
