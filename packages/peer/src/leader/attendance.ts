/**
 * Attendance: which peers answer their leader, which are fit to vote, and for how long a peer was not.
 *
 * Decides when silence counts: a moment does not; a peer that membership calls lost is silent at once.
 * Does not decide what follows (voters.ts). A new leader starts with everybody fit, so it measures
 * silence too short rather than too long.
 */
import type { NodeId } from "@gam/core";

/** Raft misses answers after 1.2 s; together that is 2 s. */
const momentTicks = 16;

export interface Presence {
  /** It answers the leader's messages, and nobody says that it is gone. */
  readonly answers: boolean;
  /** It answers, and has the log up to a short while ago. */
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

  /** Looks at all members and voters at once; others are forgotten. */
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

  /** Of a voter: it was fit a moment ago. */
  fit(id: NodeId): boolean {
    return this.answers(id) && this.unfitTicks(id) < momentTicks;
  }

  unfitTicks(id: NodeId): number {
    return this.#nowTick - (this.#seen.get(id)?.fitTick ?? this.#nowTick);
  }
}
