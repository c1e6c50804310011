/**
 * Event history: the last events of the cluster, for clients that ask for past events.
 *
 * It is a part of the state: every peer has the same events with the same numbers and times, also after a restart
 * and from a snapshot. So it is bounded in count and in bytes.
 */
import { type Check, check } from "@gam/core";
import { aMoment, anIndex } from "../checks/field-checks.ts";
import { type Move, told } from "../derived/told.ts";
import type { Rows, TableName } from "../log/change.ts";
import type { Event } from "../log/view.ts";
import type { Happening, Told } from "../objects/happening.ts";

/** As many as an engine keeps. */
const happeningsMax = 256;
/** Of all kept events together, roughly: the lengths of their texts. */
const lengthMax = 64 * 1024;
/** An event with longer attributes keeps its name only. */
const attributesLengthMax = 8 * 1024;
const nameLengthMax = 256;

/** An event that has no number yet. */
export interface News {
  readonly happening: Omit<Happening, "number" | "atMs">;
  readonly length: number;
}

export class EventHistory {
  #kept: readonly Happening[] = [];
  #length = 0;

  /** Returns: the kept events, oldest first. */
  all = (): readonly Happening[] => this.#kept;

  /** Takes in the news of one log entry, in order. */
  add(news: readonly News[], atMs: number): void {
    if (news.length === 0) return;
    let { number = 0 } = this.#kept.at(-1) ?? {};
    const kept = [...this.#kept];
    for (const { length, happening } of news) {
      number += 1;
      kept.push({ number, atMs, ...happening });
      this.#length += length;
    }
    let dropped = 0;
    while (kept.length - dropped > happeningsMax || this.#length > lengthMax) {
      const oldest = kept[dropped];
      // The newest event is always kept, for its number.
      if (oldest === undefined || dropped === kept.length - 1) break;
      this.#length -= lengthOf(oldest);
      dropped += 1;
    }
    this.#kept = kept.slice(dropped);
  }

  restore(happenings: readonly Happening[]): void {
    this.#kept = happenings;
    this.#length = happenings.reduce((sum, one) => sum + lengthOf(one), 0);
  }
}

/**
 * Returns: what the history says about these events of one log entry.
 *
 * Errors: any, for objects that were never checked.
 */
export function newsOf(events: readonly Event[]): readonly News[] {
  return events.flatMap((event): News | [] => {
    const one = toldOf(event.table, event);
    if (one === undefined) return [];
    const happening = { ...short(one), action: actionOf(event) };
    return { happening, length: lengthOf(happening) };
  });
}

function toldOf<Name extends TableName>(name: Name, event: Event): Told | undefined {
  return told[name](event as Move<Rows[Name]>);
}

function actionOf({ before, after }: Event): Happening["action"] {
  if (before === undefined) return "create";
  return after === undefined ? "remove" : "update";
}

function short(one: Told): Told {
  const { name = "" } = one.attributes;
  if (textLength(one.attributes) <= attributesLengthMax) return one;
  return { ...one, attributes: { name: name.slice(0, nameLengthMax) } };
}

function textLength(attributes: Told["attributes"]): number {
  return Object.entries(attributes).reduce((sum, [key, text]) => sum + key.length + text.length, 0);
}

function lengthOf({ id, attributes }: Pick<Happening, "id" | "attributes">): number {
  return id.length + textLength(attributes);
}

const checkHappening: Check<Happening> = check.struct({
  number: anIndex,
  atMs: aMoment,
  type: check.literal("config", "network", "node", "secret", "service"),
  action: check.literal("create", "remove", "update"),
  id: check.string(64),
  attributes: check.map(check.string(attributesLengthMax), 16),
});

/** The events in a snapshot. An older gam wrote none. */
export const checkHappenings = check.optional(check.list(checkHappening, happeningsMax));
