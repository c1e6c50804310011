/**
 * Quorum: what the voters have decided together.
 *
 * Each function takes an electorate: groups of voters. A decision needs a majority of each group.
 * There is one group, or two while the configuration is joint.
 */
import type { NodeId } from "@gam/core";
import type { Configuration } from "./configuration.ts";
import { noRaftFaults, type RaftFaults } from "./fault.ts";

export type Electorate = readonly (readonly NodeId[])[];

/** Votes needed out of `voters` so that two majorities always share a peer. */
export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** Returns: one group, or two while the configuration is joint. */
export function electorate(
  configuration: Configuration,
  faults: RaftFaults = noRaftFaults,
): Electorate {
  const { voters, votersOutgoing, learners } = configuration;
  const group = faults.has("countLearners") ? [...new Set([...voters, ...learners])] : voters;
  const single = votersOutgoing.length === 0 || faults.has("oneMajorityWhileJoint");
  return single ? [group] : [group, votersOutgoing];
}

/** Whether a majority of every group has it. False for a group without voters. */
export function agreed(groups: Electorate, has: (id: NodeId) => boolean): boolean {
  return groups.every((group) => group.filter(has).length >= majority(group.length));
}

/**
 * The largest number that a majority of every group has reached. 0 without voters.
 *
 * Shape: `reached` only grows, as an acknowledged index or heartbeat round does.
 */
export function reachedByQuorum(groups: Electorate, reached: (id: NodeId) => number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const group of groups) {
    const down = group.map(reached).sort((a, b) => b - a);
    least = Math.min(least, down[majority(group.length) - 1] ?? 0);
  }
  return Number.isFinite(least) ? least : 0;
}

/** The outcome of an election. "lost" once the remaining votes can no longer win it. */
export function outcomeOf(
  groups: Electorate,
  votes: ReadonlyMap<NodeId, boolean>,
): "won" | "lost" | "open" {
  if (agreed(groups, (id) => votes.get(id) === true)) return "won";
  return agreed(groups, (id) => votes.get(id) !== false) ? "open" : "lost";
}
