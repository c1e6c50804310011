/**
 * Life: which history of the cluster a log belongs to.
 *
 *   init --> life 1 --majority lost, "gam recover" on a survivor--> life 2 --> …
 *
 * A recovery makes one survivor the only voter, with what it has. Peers of the life before may still be a majority
 * of the old voters, and must never decide anything beside it. So a life is the chain of all recoveries that led
 * to it, each with an id of its own; messages carry the id of the last one, and those of another life are not
 * taken. Who finds itself behind, its own chain being the beginning of the other's, drops its log and starts
 * as a peer without one. Two survivors that both recovered have chains that part: neither follows the other, and
 * people have to choose.
 *
 * Decides how two lives stand to each other, and nothing else. lives.ts acts on it, recover.ts makes the new
 * life's log, journal.ts keeps the chain on disk.
 */
import { type Check, check, type NodeId } from "@gam/core";

/** Ids of all recoveries, the first life's before them. Empty: this peer has no log yet. */
export type Life = readonly string[];

export const noLife: Life = [];
const idLength = 10;
const livesMax = 256;

/** Of a peer's word. Errors: BAD_FRAME. */
export const checkLife: Check<Life> = check.list(check.string(idLength), livesMax);
export const checkLifeId: Check<string> = check.string(idLength);

/** Of the cluster that this peer begins. */
export function firstLife(self: NodeId): Life {
  return [self.slice(0, idLength)];
}

/** Shape: `id` is random, 25 characters. */
export function nextLife(life: Life, id: string): Life {
  return [...life, id.slice(0, idLength)];
}

export type Relation =
  | "same"
  /** The other life came of this one. */
  | "behind"
  /** This life came of the other one. */
  | "ahead"
  /** Both came of one life, or of none. */
  | "rival";

/** How `own` stands to `other`. */
export function relationOf(own: Life, other: Life): Relation {
  const shared = Math.min(own.length, other.length);
  for (let at = 0; at < shared; at += 1) if (own[at] !== other[at]) return "rival";
  if (own.length === other.length) return "same";
  return own.length < other.length ? "behind" : "ahead";
}
