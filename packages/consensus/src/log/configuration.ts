/**
 * Configuration: who takes part, and how one set of voters becomes another.
 *
 * Decides which configurations exist and which one follows. Does not decide when to change (a plan of
 * the caller) nor when the next step is allowed (leadership.ts).
 *
 * A change of voters goes through a joint configuration, in which every decision needs a majority of
 * the old voters and a majority of the new ones. So there is no moment at which two sets that do not
 * know of each other could both decide.
 *
 * Source: Ongaro, "Consensus: Bridging Theory and Practice", section 4.3.
 */
import { check, decode, encode, type NodeId, sameValue } from "@gam/core";

export interface Configuration {
  /** Sorted, as all three are. */
  readonly voters: readonly NodeId[];
  /** The voters before the change. Not empty while the configuration is joint, empty otherwise. */
  readonly votersOutgoing: readonly NodeId[];
  /** Peers that get the whole log and have no vote. An outgoing voter may be one already. */
  readonly learners: readonly NodeId[];
  /** Learners whose disks a commit waits for while one peer votes alone (standbys.ts). */
  readonly standbys: readonly NodeId[];
}

/** More members than any mesh that this program is for. */
const membersMax = 5_000;

/** What a peer knows that has no log yet. */
export const nobody: Configuration = { voters: [], votersOutgoing: [], learners: [], standbys: [] };

const shape = check.object({
  voters: check.list(check.string(64), membersMax),
  votersOutgoing: check.list(check.string(64), membersMax),
  learners: check.list(check.string(64), membersMax),
  standbys: check.list(check.string(64), membersMax),
});

/**
 * Of a configuration from a peer: its members have ids. A voter that is named twice would be a majority of
 * three alone, and without voters nobody ever leads again.
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

/** What a leader makes: some vote, nobody counts twice, and whoever votes does not learn beside it. */
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
 * Of an entry that is in the log: whoever put it there has checked it. Errors: BAD_FRAME when the bytes are no
 * configuration.
 */
export function readConfiguration(data: Uint8Array): Configuration {
  return shape(decode(data), "configuration") as unknown as Configuration;
}

/** A change is under way: two majorities decide. */
export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0;
}

/** Whether the peer counts in any of the majorities, and so may stand for election. */
export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.votersOutgoing.includes(id);
}

/** Everyone who gets the log, sorted. */
export function membersOf(configuration: Configuration): NodeId[] {
  const { voters, votersOutgoing, learners } = configuration;
  return sorted([...voters, ...votersOutgoing, ...learners]);
}

/**
 * The first step from a settled configuration to these voters, learners and standbys.
 *
 * Shape: joint if the voters change, otherwise already the end; `undefined` when nothing changes or
 *        nobody would vote. Who is named in both lists votes; a standby that does not learn is none.
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

/** The second step: the old voters have no say any more. */
export function settled(configuration: Configuration): Configuration {
  return { ...configuration, votersOutgoing: [] };
}

function sorted(ids: readonly NodeId[]): NodeId[] {
  return [...new Set(ids)].sort();
}
