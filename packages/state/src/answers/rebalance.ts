/** Rebalance: the answer of `GET /gam/v1/rebalance`: which tasks move, moved, or would move to other hosts, and why. */
import { type Check, check } from "@gam/core";

/** Hosts and services by name. */
export interface ShownMove {
  readonly service: string;
  /** Number of the replica; 0 where it is not known any more. */
  readonly slot: number;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

export interface RebalanceReport {
  readonly auto: boolean;
  /** Whether tasks are being moved because somebody asked for it. */
  readonly isAsked: boolean;
  /** What would move now, the most useful first. */
  readonly planned: readonly ShownMove[];
  readonly open: readonly ShownMove[];
  /** The latest last; `problem` is "" for a move that was done. */
  readonly past: readonly (ShownMove & { readonly endedAtMs: number; readonly problem: string })[];
  /** Why it stopped before its end; "" where it did not. */
  readonly stopped: string;
}

const movesMax = 1000;
const text = check.string(65_536);
const move = {
  service: text,
  slot: check.integer(),
  from: text,
  to: text,
  reason: text,
};

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkRebalanceReport: Check<RebalanceReport> = check.object({
  auto: check.boolean,
  isAsked: check.boolean,
  planned: check.list(check.object(move), movesMax),
  open: check.list(check.object(move), movesMax),
  past: check.list(check.object({ ...move, endedAtMs: check.number(), problem: text }), movesMax),
  stopped: text,
});
