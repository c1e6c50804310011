/**
 * Cron storm: jobs with schedules through years in which leaders change, clocks jump and the cluster is down.
 *
 * A model knows every due time without croner. In the end each has had one run, or is noted as missed. One seed is
 * one history.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, Random, ServiceId } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import {
  type Change,
  isTerminal,
  isWanted,
  type ServiceSpec,
  type Task,
  type TaskState,
} from "@gam/state";
import { aNode, aService, TestLog } from "@gam/state/testing";
import { Orchestrator } from "../orchestrator.ts";
import type { PlanFault } from "./fault.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** After a step of the clock back by more than this, the schedule begins again. */
const setBackMsMax = 3 * hourMs;
const node = "a" as NodeId;
/** A due run is handled, its tasks are made, its end is noted; and each once more after a loss. */
const plansMax = 20;

interface Job {
  readonly labels: Readonly<Record<string, string>>;
  /** All due times in (fromMs, untilMs]. */
  readonly dues: (fromMs: number, untilMs: number) => number[];
}

const each =
  (stepMs: number, offsetMs = 0) =>
  (fromMs: number, untilMs: number) => {
    const dues: number[] = [];
    const first = Math.floor((fromMs - offsetMs) / stepMs) + 1;
    for (let n = first; n * stepMs + offsetMs <= untilMs; n += 1) dues.push(n * stepMs + offsetMs);
    return dues;
  };

/** The last Sunday of March or October, 01:00 in UTC, when the clocks of Berlin change. */
function changeMs(year: number, month: 2 | 9): number {
  const last = new Date(Date.UTC(year, month, 31));
  return Date.UTC(year, month, 31 - last.getUTCDay(), 1);
}

/** 02:30 in Berlin: at the end of the gap in spring, once in autumn. */
function berlin(fromMs: number, untilMs: number): number[] {
  const days = each(dayMs)(fromMs - 2 * dayMs, untilMs + 2 * dayMs);
  const dues = days.map((midnightMs) => {
    const year = new Date(midnightMs).getUTCFullYear();
    const [springMs, autumnMs] = [changeMs(year, 2), changeMs(year, 9)];
    if (Math.abs(midnightMs + hourMs - springMs) < minuteMs) return springMs;
    const isSummer = midnightMs > springMs && midnightMs < autumnMs;
    return midnightMs + (isSummer ? 30 : 90) * minuteMs;
  });
  return dues.filter((dueMs) => dueMs > fromMs && dueMs <= untilMs);
}

const jobs: Readonly<Record<string, Job>> = {
  quarter: { labels: { "gam.cron": "*/15 * * * *" }, dues: each(15 * minuteMs) },
  beside: {
    labels: { "gam.cron": "@hourly", "gam.cron.concurrency": "allow", "gam.cron.history": "3" },
    dues: each(hourMs),
  },
  instead: {
    labels: { "gam.cron": "0 40 */6 * * *", "gam.cron.concurrency": "replace" },
    dues: each(6 * hourMs, 40 * minuteMs),
  },
  nightly: {
    labels: { "gam.cron": "30 2 * * *", "gam.cron.timezone": "Europe/Berlin" },
    dues: berlin,
  },
  late: { labels: { "gam.cron": "@daily", "gam.cron.deadline": "30m" }, dues: each(dayMs) },
};

/** What a history has said about one job. */
interface Told {
  /** From when on due times count. */
  fromMs: number;
  readonly runs: number[];
  readonly misses: { fromMs: number; untilMs: number }[];
  /** Moments before which all is forgiven, because a wrong clock was there. */
  readonly overlaps: { fromMs: number; untilMs: number }[];
}

class Storm {
  readonly log = new TestLog();
  readonly told = new Map<string, Told>();
  readonly #random: Random;
  readonly #faults: readonly PlanFault[];
  readonly #mint = counterMint("t");
  /** What the wall clock of a host without faults shows. */
  #trueMs = Date.UTC(2026, 0, 1);
  /** How much the present leader's clock is ahead. */
  #aheadMs = 0;
  #leader: Orchestrator;
  #suspended = false;

  constructor(seed: number, faults: readonly PlanFault[]) {
    this.#random = seededRandom(seed);
    this.#faults = faults;
    this.#leader = this.#elect();
    this.#write({ kind: "joinNode", node: aNode(node) });
    for (const [name, { labels }] of Object.entries(jobs)) {
      const mode = { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 2 } };
      this.#write(aService(name, { mode, spec: { Labels: labels } }));
      this.told.set(name, { fromMs: 0, runs: [], misses: [], overlaps: [] });
    }
    this.#lead();
  }

  run(days: number): void {
    const endMs = this.#trueMs + days * dayMs;
    while (this.#trueMs < endMs) {
      this.#trueMs += minuteMs * (1 + this.#random.below(90));
      this.#disturb();
      this.#work();
      this.#lead();
    }
    // Calm: the clock is right, and nothing is suspended.
    this.#aheadMs = 0;
    this.#suspend(false);
    for (let n = 0; n < 40; n += 1) {
      this.#trueMs += minuteMs;
      this.#work();
      this.#lead();
    }
  }

  /** Errors: AssertionError for a due time without a run and a note, or with two. */
  check(): void {
    for (const [name, { dues }] of Object.entries(jobs)) {
      const told = this.told.get(name);
      assert.ok(told);
      const { fromMs, runs, misses, overlaps } = told;
      const counts = new Map<number, number>();
      for (const dueMs of runs) counts.set(dueMs, (counts.get(dueMs) ?? 0) + 1);
      const isIn = (ms: number) => (range: { fromMs: number; untilMs: number }) =>
        range.fromMs <= ms && ms <= range.untilMs;
      const all = dues(fromMs, this.#trueMs);
      const known = new Set(all);
      for (const dueMs of all) {
        const at = new Date(dueMs).toISOString();
        const noted = misses.filter(isIn(dueMs)).length;
        const ran = counts.get(dueMs) ?? 0;
        assert.ok(ran + noted >= 1, `${name}: ${at} had no run and is not noted`);
        const times = overlaps.filter(isIn(dueMs)).length + 1;
        assert.ok(ran + noted <= times, `${name}: ${at} had ${ran} runs and ${noted} notes`);
      }
      for (const dueMs of runs) {
        const isAhead = dueMs > this.#trueMs;
        assert.ok(known.has(dueMs) || isAhead, `${name}: ran at ${new Date(dueMs).toISOString()}`);
      }
      assert.ok(runs.length > all.length / 50, `${name}: ${runs.length} runs of ${all.length}`);
    }
  }

  #elect(): Orchestrator {
    const orchestrator = new Orchestrator(this.#mint, new Set(this.#faults));
    orchestrator.noticeAll();
    return orchestrator;
  }

  #disturb(): void {
    switch (this.#random.below(40)) {
      case 0:
      case 1:
        // Another host leads, whose clock differs a little.
        this.#leader = this.#elect();
        this.#aheadMs = 1000 * (this.#random.below(11) - 5);
        return;
      case 2:
        // The clock jumps, by up to two hours in both directions.
        this.#aheadMs = minuteMs * (this.#random.below(241) - 120);
        return;
      case 3:
        this.#aheadMs = 0;
        return;
      case 4:
        if (this.#random.below(20) > 0) return;
        // A clock that is wrong by days.
        this.#aheadMs = hourMs * (this.#random.below(201) - 40);
        return;
      case 5:
        // The whole cluster is down.
        if (this.#random.below(4) > 0) return;
        this.#trueMs += hourMs * this.#random.below(70);
        this.#leader = this.#elect();
        return;
      case 6:
        return this.#suspend(!this.#suspended && this.#random.below(3) === 0);
      case 7: {
        const service = this.#some();
        const Image = `tiny:${this.#random.below(5)}`;
        const ContainerSpec = { Image };
        const TaskTemplate = { ...service.Spec.TaskTemplate, ContainerSpec };
        return this.#update(service.ID, { ...service.Spec, TaskTemplate });
      }
    }
  }

  #some() {
    const services = this.log.store.services();
    const service = services[this.#random.below(services.length)];
    assert.ok(service);
    return service;
  }

  #suspend(suspended: boolean): void {
    this.#suspended = suspended;
    const service = this.log.store.services().find(({ ID }) => String(ID) === "quarter");
    assert.ok(service);
    const Labels = { ...service.Spec.Labels, "gam.cron.suspend": String(suspended) };
    this.#update(service.ID, { ...service.Spec, Labels });
  }

  #update(id: ServiceId, spec: ServiceSpec): void {
    const basedOn = this.log.store.service(id)?.Version.Index ?? 0;
    this.#write({ kind: "updateService", id, spec, basedOn });
  }

  #lead(): void {
    for (let plans = 0; ; plans += 1) {
      assert.ok(plans < plansMax, "the plans do not end");
      const nowMs = this.#trueMs + this.#aheadMs;
      const changes = this.#leader.plan(this.log.store, { nowMs, verdicts: new Map() });
      if (changes.length === 0) return;
      // The plan is lost on its way, and perhaps the leader with it.
      if (this.#random.below(20) === 0) {
        if (this.#random.below(2) === 0) this.#leader = this.#elect();
        continue;
      }
      this.#write(...changes);
      for (const change of changes) {
        if (change.kind === "handleDue") this.#note(change, nowMs);
      }
    }
  }

  #note(change: Extract<Change, { kind: "handleDue" }>, nowMs: number): void {
    const told = this.told.get(change.id);
    assert.ok(told);
    const { sinceMs, handledMs, missed, startMs } = change;
    if (sinceMs === undefined) told.fromMs = handledMs;
    else if (sinceMs - nowMs > setBackMsMax) {
      told.overlaps.push({ fromMs: nowMs, untilMs: sinceMs });
      return;
    }
    if (startMs !== undefined) told.runs.push(startMs);
    told.misses.push(...missed);
  }

  #work(): void {
    for (const task of this.log.store.tasks()) {
      if (isTerminal(task.Status.State)) continue;
      const State = this.#next(task);
      if (State === undefined) continue;
      const Timestamp = new Date(this.#trueMs).toISOString();
      if (State === "assigned") {
        this.#write({ kind: "assignTask", id: task.ID, node, status: { Timestamp, State } });
      } else {
        this.#write({ kind: "reportTask", id: task.ID, status: { Timestamp, State } });
      }
    }
  }

  #next(task: Task): TaskState | undefined {
    const { Status, DesiredState } = task;
    if (!isWanted(task)) return Status.State === "pending" ? undefined : "shutdown";
    if (Status.State === "pending") return "assigned";
    if (Status.State === "assigned") return DesiredState === "ready" ? undefined : "running";
    const roll = this.#random.below(10);
    return roll < 5 ? "complete" : roll < 7 ? "failed" : undefined;
  }

  #write(...changes: readonly Change[]): void {
    this.log.nowMs = this.#trueMs + this.#aheadMs;
    const { events, outcome } = this.log.write(...changes);
    assert.ok(!("code" in outcome), JSON.stringify([outcome, changes]));
    for (const event of events) this.#leader.notice(event);
  }
}

function live(seed: number, days: number, faults: readonly PlanFault[] = []): Storm {
  const storm = new Storm(seed, faults);
  storm.run(days);
  storm.check();
  return storm;
}

// Together 1000 days.
for (const seed of [1, 2, 3, 4]) {
  test(`in 250 days each due time has one run, or is noted as missed: seed ${seed}`, () => {
    live(seed, 250);
  });
}

test("the runs that are kept end, and have as many tasks as they must", () => {
  const { log } = live(11, 30);
  for (const service of log.store.services()) {
    const runs = service.Gam.cron?.runs ?? [];
    const kept = service.Spec.Labels?.["gam.cron.history"] === "3" ? 3 : 10;
    const ended = runs.filter(({ end }) => end !== undefined);
    assert.ok(ended.length <= kept && ended.length > 0);
    for (const { iteration, end } of ended) {
      const tasks = log.store
        .tasksOf(service.ID)
        .filter(({ JobIteration }) => (JobIteration?.Index ?? 0) === iteration);
      const done = tasks.filter(({ Status }) => Status.State === "complete").length;
      if (end?.result === "complete") assert.equal(done, 2, `${service.ID} run ${iteration}`);
      else assert.ok(done < 2);
    }
    const numbers = new Set(runs.map(({ iteration }) => iteration));
    for (const { JobIteration, Status } of log.store.tasksOf(service.ID)) {
      if (isTerminal(Status.State)) assert.ok(numbers.has(JobIteration?.Index ?? 0));
    }
  }
});

const faults: readonly PlanFault[] = ["due-twice", "missed-forgotten"];
for (const fault of faults) {
  test(`the check finds the fault "${fault}"`, () => {
    assert.throws(() => live(1, 20, [fault]), { name: "AssertionError" });
  });
}
