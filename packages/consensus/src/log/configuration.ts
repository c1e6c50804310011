/**
 * Configuration: who takes part, and how one set of voters becomes another.
 *
 * Decides which configurations are valid and which one comes next. Does not decide when to change (the
 * caller's plan) nor when the next step is allowed (leadership.ts).
 *
 * A change of voters goes through a joint configuration, in which every decision needs a majority of
 * the old voters and a majority of the new ones. Otherwise two sets of voters that do not know of
 * each other could both decide.
 *
 * Source: Ongaro, "Consensus: Bridging Theory and Practice", section 4.3.
 */
import { check, decode, encode, type NodeId, sameValue } from "@gam/core";

export interface Configuration {
  /** Sorted, as are the other lists. */
  readonly voters: readonly NodeId[];
  /** The voters before the change. Not empty while the configuration is joint, empty otherwise. */
  readonly votersOutgoing: readonly NodeId[];
  /** Peers that get the whole log and have no vote. An outgoing voter may be one already. */
  readonly learners: readonly NodeId[];
  /** Learners whose disks a commit waits for while one peer votes alone (standbys.ts). */
  readonly standbys: readonly NodeId[];
}

/** More members than gam supports. */
const membersMax = 5_000;

/** The configuration of a peer without a log. */
export const nobody: Configuration = { voters: [], votersOutgoing: [], learners: [], standbys: [] };

const shape = check.object({
  voters: check.list(check.string(64), membersMax),
  votersOutgoing: check.list(check.string(64), membersMax),
  learners: check.list(check.string(64), membersMax),
  standbys: check.list(check.string(64), membersMax),
});

/**
 * Checks a configuration from another peer. A voter named twice would be a majority of three by itself,
 * and without voters nobody could lead again.
 */
export const checkConfiguration: check.Check<Configuration> = check.where(
  check.object({
    voters: check.list(check.id<NodeId>(), membersMax),
    votersOutgoing: check.list(check.id<NodeId>(), membersMax),
    learners: check.list(check.id<NodeId>(), membersMax),
    standbys: check.list(check.id<NodeId>(), membersMax),
  }),
  isSound,
  "voters, each member once, and standbys that learn",
);

/** Whether a leader could have made it: it has voters, counts nobody twice, and no voter is also a learner. */
function isSound({ voters, votersOutgoing, learners, standbys }: Configuration): boolean {
  const once = [voters, votersOutgoing, [...voters, ...learners], standbys];
  if (voters.length === 0 || !standbys.every((id) => learners.includes(id))) return false;
  return once.every((list) => new Set(list).size === list.length);
}

/** The data of an entry of kind "configuration". */
export function writeConfiguration(configuration: Configuration): Uint8Array {
  return encode(configuration);
}

/**
 * Reads the data of an entry in the log, which was checked before it was appended.
 *
 * Errors: BAD_FRAME when the bytes are no configuration.
 */
export function readConfiguration(data: Uint8Array): Configuration {
  return shape(decode(data), "configuration") as unknown as Configuration;
}

/** Whether a change is under way, so that two majorities decide. */
export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0;
}

/** Whether the peer counts in any of the majorities, and so may stand for election. */
export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.votersOutgoing.includes(id);
}

/** All peers that get the log, sorted. */
export function membersOf(configuration: Configuration): NodeId[] {
  const { voters, votersOutgoing, learners } = configuration;
  return sorted([...voters, ...votersOutgoing, ...learners]);
}

/**
 * The first step from a settled configuration to these voters, learners and standbys.
 *
 * Returns: a joint configuration if the voters change, otherwise the final one; `undefined` when nothing
 *          changes, when there are no voters, or when there are too many members. A peer named as voter and
 *          as learner is a voter. A standby that is no learner is left out.
 */
export function towards(
  configuration: Configuration,
  wanted: Omit<Configuration, "votersOutgoing">,
): Configuration | undefined {
  const voters = sorted(wanted.voters);
  const learners = sorted(wanted.learners).filter((id) => !voters.includes(id));
  const standbys = sorted(wanted.standbys).filter((id) => learners.includes(id));
  if (voters.length === 0 || voters.length + learners.length > membersMax) return undefined;
  if (!sameValue(voters, configuration.voters)) {
    return { voters, votersOutgoing: configuration.voters, learners, standbys };
  }
  const unchanged =
    sameValue(learners, configuration.learners) && sameValue(standbys, configuration.standbys);
  return unchanged ? undefined : { voters, votersOutgoing: [], learners, standbys };
}

/** The second step: the old voters no longer count. */
export function settled(configuration: Configuration): Configuration {
  return { ...configuration, votersOutgoing: [] };
}

function sorted(ids: readonly NodeId[]): NodeId[] {
  return [...new Set(ids)].sort();
}
