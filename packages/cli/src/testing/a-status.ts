/** Answers of `GET /gam/v1/status`, with defaults for what a test does not care about. */
import type { NodeId } from "@gam/core";
import { testId } from "@gam/core/testing";
import type { GamStatus, NodeSummary } from "@gam/state/answers";

export function nodeIdOf(number: number): NodeId {
  return testId<NodeId>(`n${number}x`);
}

/** The summary of host NUMBER, which runs NUMBER tasks. */
export function aNodeSummary(number: number, changed: Partial<NodeSummary> = {}): NodeSummary {
  return {
    id: nodeIdOf(number),
    hostname: `host${number}`,
    address: `10.0.0.${number}:7946`,
    state: "ready",
    message: "",
    heard: true,
    graceMs: null,
    engine: true,
    role: "voter",
    availability: "active",
    usage: {
      cpu: 0.125,
      memoryBytes: 1.5 * 2 ** 30,
      memoryTotalBytes: 4 * 2 ** 30,
      load: 0.5,
      containers: number,
      images: [],
      diskFreeBytes: 2 ** 30,
      atMs: 0,
    },
    network: null,
    tasks: number,
    ...changed,
  };
}

/** The answer of host2 in a mesh of these nodes, which host1 leads. */
export function aStatus(
  nodes: readonly NodeSummary[],
  changed: Partial<GamStatus> = {},
): GamStatus {
  return {
    version: "0.1.0",
    self: nodeIdOf(2),
    state: "active",
    autolock: false,
    leader: nodeIdOf(1),
    term: 3,
    leaderlessMs: 0,
    isCaughtUp: true,
    stateAtMs: 0,
    life: 1,
    isMute: false,
    rivals: [],
    applied: 9,
    voters: nodes.filter(({ role }) => role === "leader" || role === "voter").map(({ id }) => id),
    learners: nodes.filter(({ role }) => role === "learner").map(({ id }) => id),
    nodes,
    pools: { subnets: 100, subnetsFree: 100, networks: [] },
    notUp: [],
    rootAwaits: null,
    troubles: [],
    problems: [],
    ...changed,
  };
}
