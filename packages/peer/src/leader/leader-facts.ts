/**
 * Leader facts: the leader's present knowledge for its plans, beside the state.
 *
 * Decides who counts as answering and as caught up, from Raft and membership. The plans (leading.ts) decide
 * what follows from that.
 */
import type { Raft } from "@gam/consensus";
import type { NodeId } from "@gam/core";
import type { Membership } from "@gam/membership";
import type { Trust, Usage } from "@gam/state";
import type { LeaderFacts } from "./leading.ts";

/** A learner this close to the leader's log may vote. */
const lagEntriesMax = 512;

/** What a peer shows of its Raft. */
export type RaftShown = Pick<
  Raft,
  "term" | "role" | "configuration" | "commitIndex" | "lastIndex" | "lastTerm"
>;

export interface FactSources {
  readonly self: NodeId;
  readonly nowMs: number;
  readonly raft: Raft;
  readonly membership: Membership;
  readonly usage: ReadonlyMap<NodeId, Usage>;
  readonly votersMax: number;
  readonly voteSilenceTicks: number;
  /** Whether a node has accounted for its tasks: see accounts.ts. */
  readonly trust: Trust;
}

/** Valid for one step only: values are computed when they are asked for. */
export function leaderFacts({ raft, membership, ...rest }: FactSources): LeaderFacts {
  const { self } = rest;
  // Computed for all members at once.
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
      // No verdict for peers not heard yet: a new leader's "alive" is only a default.
      const isKnown = id === self || judgement.verdict !== "alive" || membership.hasSpoken(id);
      return isKnown ? judgement : undefined;
    },
    answers: (id) => {
      if (id === self) return true;
      const { match = 0, recentlyActive = false } = progressOf(id) ?? {};
      // A member that joined and never arrived has nothing on its disk, however short the log is.
      return match > 0 && recentlyActive;
    },
    caughtUp: (id) =>
      id === self || (progressOf(id)?.match ?? 0) + lagEntriesMax >= raft.commitIndex,
  };
}
