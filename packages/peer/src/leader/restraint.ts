/**
 * Restraint: which objects the leader's plans leave alone for a while.
 *
 * Plans work towards a state in which they have nothing to propose. A plan that proposes the same change of the
 * same object for ever would fill the log and delay other objects. Decides when that is so: `repeatsMax` equal
 * changes were applied or refused, and nobody but the leader touched the object. The plans then leave the
 * object alone, and each further pause is twice as long. They also leave an object alone if a plan threw on it,
 * or if its change does not fit into a log entry.
 *
 * Drive it with tick(), with settled() for each proposal of the plans, and with moved() for what others change.
 */
import type { Change, Event, PlannedChange } from "@gam/state";

/** A change that a leader's plans may make. Other peers may remove nodes as well. */
export type LeadersChange = PlannedChange | Extract<Change, { readonly kind: "removeNode" }>;

const repeatsMax = 16;
/** Most objects need only a few changes. Changes of an object are compared only after this many. */
const changesUnwatched = 8;
/** A change that is not repeated for 30 s was useful. */
const restTicks = 600;
/** 5 s at first, at most ten minutes. */
const holdTicksMin = 100;
const holdTicksMax = 12_000;

interface Conduct {
  /** How often each change was made, by its content. */
  readonly repeats: Map<string, number>;
  lastTick: number;
  /** End of the present or last pause. */
  untilTick: number;
  holdTicks: number;
}

export interface Held {
  readonly id: string;
  readonly why: string;
  readonly ticks: number;
}

export class Restraint {
  readonly #conducts = new Map<string, Conduct>();
  /** Number of changes of each object that is not compared yet, in about 30 s. */
  readonly #changes = new Map<string, number>();
  /** Objects in a pause now. */
  readonly #held = new Set<string>();
  #nowTick = 0;
  #news: Held[] = [];

  /** Returns: whether a pause has ended. */
  tick(): boolean {
    this.#nowTick += 1;
    const ended = [...this.#held].filter((id) => !this.holds(id));
    for (const id of ended) this.#held.delete(id);
    if (this.#nowTick % restTicks === 0) this.#forget();
    return ended.length > 0;
  }

  #forget(): void {
    this.#changes.clear();
    for (const [id, { lastTick, untilTick, holdTicks }] of this.#conducts) {
      const sinceTicks = this.#nowTick - Math.max(lastTick, untilTick);
      if (sinceTicks > (holdTicks === 0 ? restTicks : holdTicksMax)) this.#conducts.delete(id);
    }
  }

  holds(id: string): boolean {
    return (this.#conducts.get(id)?.untilTick ?? 0) > this.#nowTick;
  }

  /** Returns: the changes that may be proposed now. */
  admit(changes: readonly LeadersChange[]): readonly LeadersChange[] {
    if (this.#conducts.size === 0) return changes;
    return changes.filter((change) => isJudgement(change) || !this.holds(objectOf(change)));
  }

  /** A proposal with these changes was applied or refused. */
  settled(changes: readonly LeadersChange[]): void {
    for (const change of changes) {
      if (isJudgement(change)) continue;
      const id = objectOf(change);
      if (!this.#isWatched(id)) continue;
      const conduct = this.#conductOf(id);
      if (this.#nowTick - conduct.lastTick > restTicks) conduct.repeats.clear();
      conduct.lastTick = this.#nowTick;
      const words = wordsOf(change);
      const repeats = (conduct.repeats.get(words) ?? 0) + 1;
      conduct.repeats.set(words, repeats);
      if (repeats >= repeatsMax) this.#hold(id, `"${change.kind}" changes nothing`);
    }
  }

  /** A plan threw on this object, or made a change of it that cannot be proposed. */
  failed(id: string, why: string): void {
    this.#hold(id, why);
  }

  /** Something other than the leader's plans changed these objects: start counting again. */
  moved(events: readonly Event[]): void {
    for (const event of events) {
      for (const id of touchedBy(event)) {
        this.#changes.delete(id);
        this.#conducts.delete(id);
      }
    }
  }

  get hasNews(): boolean {
    return this.#news.length > 0;
  }

  /** Returns: pauses that began since the last call. */
  takeNews(): readonly Held[] {
    const news = this.#news;
    this.#news = [];
    return news;
  }

  #isWatched(id: string): boolean {
    if (this.#conducts.has(id)) return true;
    const changes = (this.#changes.get(id) ?? 0) + 1;
    this.#changes.set(id, changes);
    return changes > changesUnwatched;
  }

  #conductOf(id: string): Conduct {
    const known = this.#conducts.get(id);
    if (known !== undefined) return known;
    const conduct: Conduct = {
      repeats: new Map(),
      lastTick: this.#nowTick,
      untilTick: 0,
      holdTicks: 0,
    };
    this.#conducts.set(id, conduct);
    return conduct;
  }

  #hold(id: string, why: string): void {
    if (this.holds(id)) return;
    const conduct = this.#conductOf(id);
    const ticks = Math.min(holdTicksMax, Math.max(holdTicksMin, 2 * conduct.holdTicks));
    conduct.repeats.clear();
    conduct.holdTicks = ticks;
    conduct.untilTick = this.#nowTick + ticks;
    this.#held.add(id);
    this.#news.push({ id, why, ticks });
  }
}

/** Verdicts follow from what a node's watchers hear, so a repeated verdict is never useless. */
function isJudgement({ kind }: LeadersChange): boolean {
  return kind === "judgeNode";
}

/** Returns: the object that such a change belongs to. A new task belongs to its service. */
export function objectOf(change: LeadersChange): string {
  switch (change.kind) {
    case "createTask":
      return change.task.ServiceID;
    case "endRootRotation":
    case "noteRebalance":
      return "cluster";
    default:
      return change.id;
  }
}

/** Returns: the content of a change, without the parts that always differ: generated ids and times. */
function wordsOf(change: LeadersChange): string {
  switch (change.kind) {
    case "createTask": {
      const { Slot, NodeID, JobIteration, Gam } = change.task;
      return `createTask ${Slot} ${NodeID} ${JobIteration?.Index} ${Gam.templateVersion}`;
    }
    case "assignTask":
    case "explainTask":
    case "orphanTask": {
      const { State, Message, Err } = change.status;
      return JSON.stringify([change.kind, State, Message, Err]);
    }
    case "progressUpdate":
      return `progressUpdate ${change.basedOn} ${change.status?.State} ${change.waveAtMs > 0} ${change.updated.length}`;
    default:
      return JSON.stringify(change);
  }
}

function touchedBy({ table, before, after }: Event): readonly string[] {
  const row = after ?? before;
  if (row === undefined) return [];
  if (table === "cluster") return ["cluster"];
  if ("Id" in row) return [row.Id];
  if (!("ServiceID" in row)) return [row.ID];
  return [row.ID, row.ServiceID, ...row.Gam.attachments.map(({ network }) => network)];
}
