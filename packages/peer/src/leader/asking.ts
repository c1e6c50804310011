/**
 * Asking: the URLs and Prometheus servers that the leader asks about services, and what they said last.
 *
 * Every 5 s for rollouts and every 15 s for autoscaling, a bounded number at a time, each once at a time. Remembers
 * only answers: a new leader asks again, and until then nothing counts as passed. Without such services it looks at
 * the services every 5 s and asks nobody.
 *
 * Drive it with tick(); perform what take() returns, and give each answer to heard().
 */
import type { NodeId, ServiceId } from "@gam/core";
import type { CheckFacts, ServiceAnswer } from "@gam/orchestrator";
import {
  type AskName,
  type AutoscaleMetric,
  type HttpAnswer,
  type Reading,
  type Service,
  type ServiceAsk,
  serviceAsks,
  type Usage,
  type View,
} from "@gam/state";

export interface LeaderAsk {
  readonly id: number;
  readonly url: string;
}

/** 5 s. */
const everyTicks = 100;
/** Numbers are asked for in each third round: at the pace of autoscaling. */
const numberRounds = 3;
/** An answer that is older does not count. */
const oldTicks = 900;
/** The shell answers long before. */
const lostTicks = 600;
/** Those who do not fit into a round come first in the next one. */
const openMax = 32;

interface Known {
  readonly answer: ServiceAnswer;
  readonly atTick: number;
}

interface Open {
  readonly key: string;
  readonly read: ServiceAsk["read"];
  readonly atTick: number;
}

export class Asking {
  readonly #known = new Map<string, Known>();
  readonly #open = new Map<number, Open>();
  #nowTick = 0;
  #round = 0;
  #waiting: readonly ServiceAsk[] = [];
  #isDue = false;
  #lastId = 0;

  tick(): void {
    this.#nowTick += 1;
    if (this.#nowTick % everyTicks === 0) this.#isDue = true;
  }

  /** Returns: whom to ask now. */
  take(view: View): readonly LeaderAsk[] {
    if (this.#isDue) this.#begin(view);
    const now: LeaderAsk[] = [];
    const later: ServiceAsk[] = [];
    for (const ask of this.#waiting) {
      const key = keyOf(ask);
      if (this.#isOpen(key)) continue;
      if (this.#open.size >= openMax) {
        later.push(ask);
        continue;
      }
      this.#lastId += 1;
      this.#open.set(this.#lastId, { key, read: ask.read, atTick: this.#nowTick });
      now.push({ id: this.#lastId, url: ask.url });
    }
    this.#waiting = later;
    return now;
  }

  #begin(view: View): void {
    this.#isDue = false;
    this.#round += 1;
    for (const [id, { atTick }] of this.#open) {
      if (this.#nowTick - atTick >= lostTicks) this.#open.delete(id);
    }
    const all = view.services().flatMap((service) => serviceAsks(view, service));
    const keys = new Set(all.map(keyOf));
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
    const left = new Set(this.#waiting.map(keyOf));
    const isLeft = (ask: ServiceAsk): boolean => left.has(keyOf(ask));
    const isNumberRound = this.#round % numberRounds === 1;
    const due = all.filter((ask) => ask.about > 0 || isNumberRound || isLeft(ask));
    this.#waiting = due.toSorted((a, b) => Number(isLeft(b)) - Number(isLeft(a)));
  }

  #isOpen(key: string): boolean {
    return [...this.#open.values()].some((one) => one.key === key);
  }

  /** An answer to an ask of an earlier leader, or one that came too late, is for nobody. */
  heard(id: number, answer: HttpAnswer): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    const before = this.#known.get(open.key)?.answer;
    const next = answerOf(open.read(answer), before?.failures ?? 0);
    this.#known.set(open.key, { answer: next, atTick: this.#nowTick });
  }

  #answerTo(key: string): ServiceAnswer | undefined {
    const known = this.#known.get(key);
    return known && this.#nowTick - known.atTick < oldTicks ? known.answer : undefined;
  }

  /** Returns: the number of the whole service; undefined when it is not known. */
  totalOf(service: Service, metric: AutoscaleMetric): number | undefined {
    const name = metric === "http" ? "number-http" : "number-prometheus";
    return this.#answerTo(keyOf({ service: service.ID, name, about: 0 }))?.value;
  }

  /** What rollouts may know of their checks. */
  checksIn(usage: ReadonlyMap<NodeId, Usage>): CheckFacts {
    return {
      taskCheck: ({ ID, NodeID }) => {
        const said = NodeID && usage.get(NodeID)?.tasks?.find(({ id }) => id === ID);
        return said ? said.check : undefined;
      },
      serviceAnswer: ({ ID }, name, about) => this.#answerTo(keyOf({ service: ID, name, about })),
    };
  }
}

function keyOf({
  service,
  name,
  about,
}: {
  service: ServiceId;
  name: AskName;
  about: number;
}): string {
  return `${service} ${name} ${about}`;
}

/** What says nothing neither adds to the failures nor ends them. */
function answerOf(reading: Reading, failures: number): ServiceAnswer {
  switch (reading.kind) {
    case "passed":
      return { failures: 0, reason: "", value: reading.value, isKnown: true };
    case "failed":
      return { failures: failures + 1, reason: reading.reason, isKnown: true };
    case "unknown":
      return { failures, reason: reading.reason, isKnown: false };
  }
}
