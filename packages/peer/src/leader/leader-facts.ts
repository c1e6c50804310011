/**
 * Leader facts: what a leader's plans are told of the moment, beside the state.
 *
 * Decides who counts as answering and as caught up, from what Raft and membership know. What follows from that is
 * for the plans to say (leading.ts).
 */
import type { Raft } from "@gam/consensus";
import type { NodeId } from "@gam/core";
import type { Membership } from "@gam/membership";
import type { Usage } from "@gam/state";
import type { LeaderFacts } from "./leading.ts";

/** A learner this close to the leader's log may vote. */
const lagEntriesMax = 512;

export interface FactSources {
  readonly self: NodeId;
  readonly nowMs: number;
  readonly raft: Raft;
  readonly membership: Membership;
  readonly usage: ReadonlyMap<NodeId, Usage>;
  readonly votersMax: number;
  readonly voteSilenceTicks: number;
}

/** Good for one step: what it says is worked out when it is asked for. */
export function leaderFacts({ raft, membership, ...rest }: FactSources): LeaderFacts {
  const { self } = rest;
  // Worked out for all members at once.
  let progress: ReturnType<Raft["progress"]> | undefined;
  const progressOf = (id: NodeId) => {
    progress ??= raft.progress();
    return progress.get(id);
  };
  return {
    ...rest,
    configuration: raft.configuration,
    verdictOf: (id) => {
      const judgement = membership.verdictOf(id);
      // One that was not heard of yet is not back: a leader that has just started knows no better.
      const isKnown = id === self || judgement.verdict !== "alive" || membership.hasSpoken(id);
      return isKnown ? judgement : undefined;
    },
    answers: (id) => {
      if (id === self) return true;
      const { match = 0, recentlyActive = false } = progressOf(id) ?? {};
      // One that was let in and never came has nothing on its disk, however short the log is.
      return match > 0 && recentlyActive;
    },
    caughtUp: (id) =>
      id === self || (progressOf(id)?.match ?? 0) + lagEntriesMax >= raft.commitIndex,
  };
}
