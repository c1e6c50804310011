/**
 * Attendance: which peers answer their leader, which are fit to vote, and for how long a peer was unfit.
 *
 * Decides when silence counts: less than a second does not, but a peer that membership calls lost is silent at
 * once. Does not decide what follows (voters.ts). A new leader starts with every peer fit, so it underestimates
 * silence and never overestimates it.
 */
import type { NodeId } from "@gam/core";

/** Added to the 1.2 s after which Raft reports a missing answer; together that is 2 s. */
const momentTicks = 16;

export interface Presence {
  /** It answers the leader's messages, and membership does not call it gone. */
  readonly answers: boolean;
  /** It answers, and its log is nearly caught up. */
  readonly fit: boolean;
  readonly lost: boolean;
}

interface Seen {
  answeredTick: number;
  fitTick: number;
  lost: boolean;
}

export class Attendance {
  readonly #seen = new Map<NodeId, Seen>();
  #nowTick = 0;

  /** Updates all members and voters at once; forgets all others. */
  look(nowTick: number, ids: Iterable<NodeId>, presenceOf: (id: NodeId) => Presence): void {
    this.#nowTick = nowTick;
    const present = new Set(ids);
    for (const id of this.#seen.keys()) if (!present.has(id)) this.#seen.delete(id);
    for (const id of present) {
      const { answers, fit, lost } = presenceOf(id);
      const before = this.#seen.get(id);
      this.#seen.set(id, {
        answeredTick: answers ? nowTick : (before?.answeredTick ?? nowTick),
        fitTick: fit ? nowTick : (before?.fitTick ?? nowTick),
        lost,
      });
    }
  }

  answers(id: NodeId): boolean {
    const seen = this.#seen.get(id);
    return seen !== undefined && !seen.lost && this.#nowTick - seen.answeredTick < momentTicks;
  }

  /** For a voter: whether it was fit less than a second ago. */
  fit(id: NodeId): boolean {
    return this.answers(id) && this.unfitTicks(id) < momentTicks;
  }

  unfitTicks(id: NodeId): number {
    return this.#nowTick - (this.#seen.get(id)?.fitTick ?? this.#nowTick);
  }
}
