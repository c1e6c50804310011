import { type Checked, check } from "@gam/core";

const nodesMax = 10_000;

const node = check.object({
  id: check.string(),
  hostname: check.string(),
  address: check.string(),
  state: check.string(),
  message: check.string(),
  heard: check.boolean,
  /** Absent from agents that do not say. */
  engine: check.optional(check.boolean),
  role: check.literal("leader", "voter", "learner", "worker"),
  availability: check.string(),
  usage: check.optional(
    check.object({
      cpu: check.number(),
      memoryBytes: check.number(),
      memoryTotalBytes: check.number(),
    }),
  ),
  network: check.optional(
    check.object({
      encryption: check.literal("kernel", "userspace", "none"),
      problem: check.string(),
    }),
  ),
  tasks: check.integer(),
});

/** What the command line reads of `GET /gam/v1/status`. */
export const checkStatus = check.object({
  version: check.string(),
  self: check.string(),
  state: check.literal("inactive", "active"),
  leader: check.optional(check.string()),
  term: check.integer(),
  /** These four are absent from agents that know no lives. */
  leaderlessMs: check.optional(check.integer()),
  life: check.optional(check.integer()),
  isMute: check.optional(check.boolean),
  rivals: check.optional(check.list(check.string(), nodesMax)),
  voters: check.list(check.string(), nodesMax),
  nodes: check.list(node, nodesMax),
  /** Absent from agents that have none. */
  pools: check.optional(
    check.object({
      subnets: check.integer(),
      subnetsFree: check.integer(),
      networks: check.list(
        check.object({ name: check.string(), used: check.integer(), size: check.integer() }),
        nodesMax,
      ),
    }),
  ),
  /** Nodes that the replacement of the root key waits for; absent where there is none. */
  rootAwaits: check.optional(check.list(check.string(), nodesMax)),
  /** What the asked peer has refused or left out; absent from agents that do not say. */
  troubles: check.optional(check.list(check.string(65_536), 256)),
  /** What the networks of the asked host lack; absent from agents that do not say. */
  problems: check.optional(check.list(check.string(), nodesMax)),
});

export type GamStatus = Checked<typeof checkStatus>;
export type NodeSummary = GamStatus["nodes"][number];
