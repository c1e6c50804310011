/**
 * Task asker: asks tasks of this host by HTTP, and keeps what they answered last.
 *
 * Each task is asked at most every 5 s, once at a time, and few at the same moment. Call ask() at any pace: it asks
 * those that are due and does not wait. Forgets tasks that it is not given any more.
 */
import {
  askedMax,
  type HttpAnswer,
  type Reading,
  readNumber,
  readStatus,
  type TaskAsk,
  type TaskCheck,
  type TaskToMeasure,
} from "@gam/state";
import { httpGet } from "./http-get.ts";

const everyMs = 5000;
const atOnceMax = 20;

interface Asked {
  lastMs: number;
  isOpen: boolean;
  number?: number | undefined;
  check?: TaskCheck | undefined;
}

export interface TaskAnswers {
  readonly number?: number;
  readonly check?: TaskCheck;
}

export class TaskAsker {
  readonly #asked = new Map<string, Asked>();
  readonly #get: (url: string) => Promise<HttpAnswer>;
  #open = 0;

  constructor(get: (url: string) => Promise<HttpAnswer> = httpGet) {
    this.#get = get;
  }

  /** Shape: `nowMs` by a clock that never goes back. Returns: what each task answered last. */
  ask(tasks: readonly TaskToMeasure[], nowMs: number): ReadonlyMap<string, TaskAnswers> {
    const asking = tasks.filter(({ number, check }) => number ?? check);
    const ids = new Set<string>(asking.map(({ id }) => id));
    for (const id of this.#asked.keys()) if (!ids.has(id)) this.#asked.delete(id);
    const answers = new Map<string, TaskAnswers>();
    for (const task of asking) {
      const asked = this.#asked.get(task.id) ?? { lastMs: Number.NEGATIVE_INFINITY, isOpen: false };
      this.#asked.set(task.id, asked);
      const isDue = !asked.isOpen && nowMs - asked.lastMs >= everyMs;
      if (isDue && this.#open < atOnceMax) {
        asked.lastMs = nowMs;
        void this.#askOne(task, asked);
      }
      const { number, check } = asked;
      answers.set(task.id, { ...(number !== undefined && { number }), ...(check && { check }) });
    }
    return answers;
  }

  async #askOne({ number, check }: TaskToMeasure, asked: Asked): Promise<void> {
    asked.isOpen = true;
    this.#open += 1;
    const [value, health] = await Promise.all([
      this.#read(number, readNumber),
      this.#read(check, readStatus),
    ]);
    this.#open -= 1;
    asked.isOpen = false;
    asked.number = value?.kind === "passed" ? bounded(value.value) : undefined;
    if (health === undefined) asked.check = undefined;
    else if (health.kind === "passed") asked.check = { failures: 0, reason: "" };
    else asked.check = { failures: (asked.check?.failures ?? 0) + 1, reason: health.reason };
  }

  async #read(
    ask: TaskAsk | undefined,
    read: (answer: HttpAnswer) => Reading,
  ): Promise<Reading | undefined> {
    if (ask === undefined) return undefined;
    return read(await this.#get(`http://${ask.address}:${ask.port}${ask.path}`));
  }
}

/** Other peers take no other numbers. */
function bounded(number: number | undefined): number | undefined {
  return number === undefined ? undefined : Math.max(-askedMax, Math.min(askedMax, number));
}
