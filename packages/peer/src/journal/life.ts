/**
 * Life: which history of the cluster a log belongs to.
 *
 *   init --> life 1 --majority lost, "gam recover" on a survivor--> life 2 --> …
 *
 * A recovery makes one survivor the only voter, with its own log. Peers of the earlier life may still be a
 * majority of the old voters, and must not decide anything in the new life. So a life is the chain of all
 * recoveries that led to it, each with its own id. Messages carry the last id, and a peer ignores messages of
 * another life. A peer whose chain is the beginning of another peer's chain is behind: it drops its log and
 * starts without one. If two survivors both recover, their chains diverge. Neither follows the other, and
 * people have to choose.
 *
 * Decides how two lives relate, and nothing else. lives.ts acts on it, recover.ts makes the new life's log,
 * journal.ts keeps the chain on disk.
 */
import { type Check, check, type NodeId } from "@gam/core";

/** The first life's id, then the ids of all recoveries. Empty: this peer has no log yet. */
export type Life = readonly string[];

export const noLife: Life = [];
const idLength = 10;
const livesMax = 256;

/** Checks a life in a peer's message. Errors: BAD_FRAME. */
export const checkLife: Check<Life> = check.list(check.string(idLength), livesMax);
export const checkLifeId: Check<string> = check.string(idLength);

/** Returns: the life of a cluster that this peer creates. */
export function firstLife(self: NodeId): Life {
  return [self.slice(0, idLength)];
}

/** Shape: `id` is random, 25 characters. */
export function nextLife(life: Life, id: string): Life {
  return [...life, id.slice(0, idLength)];
}

export type Relation =
  | "same"
  /** The other life continues this one. */
  | "behind"
  /** This life continues the other one. */
  | "ahead"
  /** They diverged, from a shared life or from the start. */
  | "rival";

/** How `own` relates to `other`. */
export function relationOf(own: Life, other: Life): Relation {
  const shared = Math.min(own.length, other.length);
  for (let at = 0; at < shared; at += 1) if (own[at] !== other[at]) return "rival";
  if (own.length === other.length) return "same";
  return own.length < other.length ? "behind" : "ahead";
}
