/**
 * Status: the answer of `GET /gam/v1/status`: what one peer knows of the mesh.
 *
 * The agent makes it and the gam command reads it, so the shape and its check are defined here, once. The type
 * of the check ensures that it covers every field. A newer agent may add fields: older readers drop them.
 */
import { type Check, check, type NodeId, type ServiceId } from "@gam/core";
import { checkUsage, type Usage } from "../checks/usage.ts";
import type { NotUp } from "../derived/not-up.ts";
import type { Availability, NodeNetwork, NodeState } from "../objects/node.ts";

/** The role of one peer in the mesh. A `worker` never votes and never leads. */
export type PeerRole = "leader" | "voter" | "learner" | "worker";

export interface NodeSummary {
  readonly id: NodeId;
  readonly hostname: string;
  /** The best address of its mesh listener, `host:port`. */
  readonly address: string;
  readonly state: NodeState;
  /** The reason for that state; "" where there is none. */
  readonly message: string;
  /** Whether the asked peer hears the node now. `state` is what a leader wrote last. */
  readonly heard: boolean;
  /** Its agent has stopped: after so long its tasks start elsewhere. Null for other nodes, or where nobody knows. */
  readonly graceMs: number | null;
  /**
   * Whether its engine answers, by its last report. Without an engine it runs nothing, but it can still vote.
   */
  readonly engine: boolean;
  readonly role: PeerRole;
  readonly availability: Availability;
  /** Last gossiped usage; null before the first. */
  readonly usage: Usage | null;
  /** Its last report about networks across hosts; null before the first. */
  readonly network: Pick<NodeNetwork, "encryption" | "problem"> | null;
  /** Tasks that run there. */
  readonly tasks: number;
  /** The gam that it runs, as `0.1.0+BUILD`. Absent until the node has reported it. */
  readonly version?: string | undefined;
}

export interface Pools {
  /** Subnets for networks without one of their own: the total, and the free ones. */
  readonly subnets: number;
  readonly subnetsFree: number;
  readonly networks: readonly {
    readonly name: string;
    /** CIDR. */
    readonly subnet: string;
    /**
     * Addresses in use by tasks, services, bridges and plain containers, and the number that exists for them.
     */
    readonly used: number;
    readonly size: number;
  }[];
}

export interface GamStatus {
  readonly version: string;
  readonly self: NodeId;
  /** `locked`: a manager that waits for the cluster's unlock key, and until then knows nothing of the mesh. */
  readonly state: "inactive" | "locked" | "active";
  /** Whether managers that restart are locked. */
  readonly autolock: boolean;
  readonly leader: NodeId | null;
  readonly term: number;
  /** How long there has been no known leader; 0 while there is one. */
  readonly leaderlessMs: number;
  /** False: this copy of the state may lack what others have written. It is of `stateAtMs`. */
  readonly isCaughtUp: boolean;
  /** When the last known change was written, by the clock of its leader; 0 while the copy is caught up. */
  readonly stateAtMs: number;
  /** How many lives the cluster has had, this one included: one more with each "gam recover". */
  readonly life: number;
  /** Its journal is damaged: it takes no part in the mesh, and waits for "gam recover". */
  readonly isMute: boolean;
  /** Nodes in a rival life: they recovered separately from this peer. */
  readonly rivals: readonly NodeId[];
  /** Raft index of the last entry applied here. */
  readonly applied: number;
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly nodes: readonly NodeSummary[];
  readonly pools: Pools;
  /** Services that do not come up. */
  readonly notUp: readonly NotUp[];
  /** Nodes that the root key rotation still waits for; null when there is no rotation. */
  readonly rootAwaits: readonly NodeId[] | null;
  /** What the asked peer refused or left out in the last day, with the time; the newest last. */
  readonly troubles: readonly string[];
  /** Problems of the asked host's networks, and objects of the state that are left out there, in sentences. */
  readonly problems: readonly string[];
}

/** What "gam status", "docker info" and the Warning header of an answer say of a peer without a leader. */
export const oldCopyNotice = "This host reaches no leader, so what it shows may be old";

const nodesMax = 10_000;
const sentencesMax = 10_000;
const networksMax = 100_000;
const servicesMax = 100_000;
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
  graceMs: check.orNull(check.number()),
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
  version: check.optional(check.string(64)),
});

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkStatus: Check<GamStatus> = check.object({
  version: check.string(),
  // A locked host does not know who it is.
  self: check.string(64) as Check<string> as Check<NodeId>,
  state: check.literal("inactive", "locked", "active"),
  autolock: check.boolean,
  leader: check.orNull(nodeId),
  term: check.integer(),
  leaderlessMs: check.number(),
  isCaughtUp: check.boolean,
  stateAtMs: check.number(),
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
  notUp: check.list(
    check.object({
      id: check.id<ServiceId>(),
      name: check.string(),
      places: check.integer(),
      reason: sentence,
      failures: check.integer(),
      restartsAtMs: check.number(),
    }),
    servicesMax,
  ),
  rootAwaits: check.orNull(nodeIds),
  troubles: check.list(sentence, sentencesMax),
  problems: check.list(sentence, sentencesMax),
});
