/**
 * Election: one peer's attempt to lead, and the votes it has so far.
 *
 * Decides when the attempt is won or lost. Does not decide when to stand, nor how to vote (raft.ts).
 */
import type { NodeId } from "@gam/core";
import { type Electorate, outcomeOf } from "./log/quorum.ts";

export class Election {
  readonly role: "preCandidate" | "candidate";
  /** The leader asked for this election, to hand over. */
  readonly transfer: boolean;
  readonly #votes = new Map<NodeId, boolean>();

  constructor(role: "preCandidate" | "candidate", transfer: boolean) {
    this.role = role;
    this.transfer = transfer;
  }

  /** Voters that have not answered yet, without duplicates. */
  unanswered(groups: Electorate): NodeId[] {
    return [...new Set(groups.flat())].filter((id) => !this.#votes.has(id));
  }

  /** Counts a vote. Only the first answer of each peer counts. */
  count(from: NodeId, granted: boolean, groups: Electorate): ReturnType<typeof outcomeOf> {
    if (!this.#votes.has(from)) this.#votes.set(from, granted);
    return outcomeOf(groups, this.#votes);
  }
}
