import { type Checked, check } from "@gam/core";

const nodesMax = 10_000;

const node = check.object({
  id: check.string(),
  hostname: check.string(),
  address: check.string(),
  state: check.string(),
  message: check.string(),
  heard: check.boolean,
  role: check.literal("leader", "voter", "learner", "worker"),
  availability: check.string(),
  usage: check.optional(
    check.object({
      cpu: check.number(),
      memoryBytes: check.number(),
      memoryTotalBytes: check.number(),
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
  voters: check.list(check.string(), nodesMax),
  nodes: check.list(node, nodesMax),
});

export type GamStatus = Checked<typeof checkStatus>;
export type NodeSummary = GamStatus["nodes"][number];
