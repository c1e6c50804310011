/**
 * Rollout: how a new version of a service runs beside the old one until it takes over or goes.
 *
 *   starting --the step's tasks run--> watching --well for its time--> starting (next step) --> … --> completed
 *       |                                 |
 *       +---------------------------------+--> rolled back: a task failed, a check failed, the deadline passed
 *
 * The old version keeps all of its tasks until the end, and they are restarted and moved as ever. So going back needs
 * no new task: the weight is 0 from the entry that decides it. New tasks share the numbers of the old ones' slots.
 *
 * A pause stops the steps and the deadlines. What fails is rolled back in a pause too: nobody may be looking.
 * Everything is in the service's rollout, so any leader can go on. Does not decide what the checks found
 * (analysis.ts), nor which connections go where (the network plan, by the weight).
 */
import {
  failedMax,
  isWanted,
  mayReturn,
  type PlannedChange,
  type Rollout,
  type RolloutPause,
  type RolloutStep,
  type RolloutWish,
  replicasOf,
  rolloutOf,
  rolloutTasks,
  type Task,
  type UpdateStatus,
} from "@gam/state";
import { type Analysis, analyse } from "../rollout/analysis.ts";
import { hasPassed } from "./elapsed.ts";
import { endedByItself } from "./ended.ts";
import { retire } from "./reap.ts";
import { planSlots, type SlotsPlan } from "./replicated.ts";
import type { Situation } from "./situation.ts";
import { planTaskSlot, type TaskSlotPlan } from "./task-slot.ts";

interface RolloutPlan {
  readonly steps: readonly (readonly PlannedChange[])[];
  readonly waiting: boolean;
  /** When the service needs another plan without an event. */
  readonly againAtMs: number;
}

/** How often a rollout is looked at without an event. */
const lookMs = 1000;

/** Returns: undefined if the service's labels ask for no rollout: the rest is an ordinary update. */
export function planRollout(situation: Situation, rollout: Rollout): RolloutPlan | undefined {
  const wish = rolloutOf(situation.service.Spec);
  return wish && new RollingOut(situation, rollout, wish).plan();
}

/** What the plan makes of the rollout; undefined fields stay. */
interface Next {
  readonly rollout: Rollout;
  readonly status: UpdateStatus;
  readonly updated: readonly string[];
}

class RollingOut {
  readonly #situation: Situation;
  readonly #old: Situation;
  readonly #rollout: Rollout;
  readonly #wish: RolloutWish;
  readonly #step: RolloutStep;
  readonly #tasks: readonly Task[];
  readonly #fresh: readonly Task[];
  readonly #replicas: number;
  /** How many tasks of the new version the step has. */
  readonly #size: number;
  /** Why its first tasks are not made yet; undefined if they are. */
  readonly #held: string | undefined;
  readonly #analysis: Analysis;

  constructor(situation: Situation, rollout: Rollout, wish: RolloutWish) {
    const { view, service } = situation;
    this.#situation = situation;
    this.#old = situation.ofOldVersion(rollout);
    this.#rollout = rollout;
    this.#wish = wish;
    this.#step = stepAt(wish, rollout.step);
    this.#tasks = view.tasksOf(service.ID);
    this.#fresh = this.#tasks.filter(({ Gam }) => Gam.templateVersion === rollout.version);
    this.#replicas = replicasOf(service.Spec);
    this.#size = rolloutTasks(this.#step, this.#replicas);
    const hasBegun = rollout.step > 0 || this.#fresh.some(isWanted);
    this.#held = hasBegun ? undefined : situation.updateWaitsFor;
    this.#analysis = this.#analyse();
  }

  plan(): RolloutPlan {
    const { base, version } = this.#rollout;
    const old = this.#tasks.filter(({ Gam }) => Gam.templateVersion <= base);
    const { faults } = this.#situation;
    const gone = faults.has("old-version-shrinks") ? this.#size : 0;
    const oldSlots = planSlots(this.#old, { replicas: this.#replicas - gone, tasks: old });
    const oldPlaces = oldSlots.kept.map((taskSlot) => planTaskSlot(this.#old, taskSlot));
    const numbers = oldSlots.kept.map(({ slot = 0 }) => slot);
    const slots = this.#freshSlots(numbers);
    const places = slots.kept.map((taskSlot) => planTaskSlot(this.#situation, taskSlot));
    // Of a new version that another one has replaced.
    const given = this.#tasks
      .filter(({ Gam }) => Gam.templateVersion > base && Gam.templateVersion !== version)
      .filter(isWanted)
      .map((task) => [retire(task)]);
    const all = [...oldPlaces, ...places];
    const progress = this.#progress(places);
    return {
      steps: [
        ...given,
        ...oldSlots.steps,
        ...slots.steps,
        ...all.map(({ changes }) => changes),
        progress === undefined ? [] : [progress],
      ],
      waiting: all.some(({ waiting }) => waiting),
      againAtMs: this.#situation.nowMs + lookMs,
    };
  }

  #freshSlots(numbers: readonly number[]): SlotsPlan {
    if (this.#held !== undefined) return { kept: [], steps: [] };
    return planSlots(this.#situation, { replicas: this.#size, tasks: this.#fresh, numbers });
  }

  /** Returns: the change that says how far the rollout is; undefined while that stays. */
  #progress(places: readonly TaskSlotPlan[]): PlannedChange | undefined {
    const { service, view } = this.#situation;
    const failed = this.#failed();
    const failure = this.#failure(failed, places);
    // A secret or config that the previous spec names may have been removed, or the policy may be stricter now.
    const mayGoBack = service.PreviousSpec !== undefined && mayReturn(view, service.PreviousSpec);
    if (failure !== undefined && mayGoBack) {
      const message = `${this.#wish.strategy} rolled back at ${this.#rollout.weight} %: ${failure}`;
      const basedOn = service.Version.Index;
      return { kind: "rollbackService", id: service.ID, basedOn, message };
    }
    const next =
      failure === undefined ? this.#next(places) : this.#halted("failure", `it failed: ${failure}`);
    return this.#note({ ...next, rollout: { ...next.rollout, failed } });
  }

  #note({ rollout, status, updated }: Next): PlannedChange | undefined {
    const { ID, Version, UpdateStatus } = this.#situation.service;
    const before = this.#rollout;
    const isSame =
      UpdateStatus?.State === status.State &&
      UpdateStatus.Message === status.Message &&
      rollout.step === before.step &&
      rollout.phase === before.phase &&
      rollout.failed.length === before.failed.length &&
      rollout.end === undefined;
    if (isSame) return undefined;
    const basedOn = Version.Index;
    return { kind: "progressRollout", id: ID, basedOn, rollout, status, updated };
  }

  /** Checks count once the first tasks of the new version have run. */
  #analyse(): Analysis {
    const { service, checks: facts } = this.#situation;
    const { phase, step, version } = this.#rollout;
    if (phase === "starting" && step === 0) return {};
    const tasks = this.#fresh.filter((task) => isWanted(task) && task.Status.State === "running");
    return analyse(service, { checks: this.#wish.checks, version, tasks }, facts);
  }

  // What goes wrong

  /** Returns: the tasks of the new version that ended by themselves, the oldest first. */
  #failed(): Rollout["failed"] {
    const known = new Set(this.#rollout.failed);
    const more = this.#fresh.filter((task) => endedByItself(task) && !known.has(task.ID));
    return [...this.#rollout.failed, ...more.map(({ ID }) => ID)].slice(0, failedMax);
  }

  /** Returns: why the new version must go. */
  #failure(failed: Rollout["failed"], places: readonly TaskSlotPlan[]): string | undefined {
    const { failuresMax, deadlineMs } = this.#wish;
    if (this.#situation.faults.has("rollout-failures-ignored")) return undefined;
    if (failed.length > failuresMax) return this.#failureOf(failed);
    if (this.#analysis.failing !== undefined) return this.#analysis.failing;
    const { phase, sinceMs, paused } = this.#rollout;
    if (paused !== undefined || phase === "passed" || this.#held !== undefined) return undefined;
    const { waitMs = 0 } = this.#step;
    const dueMs = deadlineMs + (phase === "watching" ? waitMs : 0);
    if (!hasPassed(this.#situation.nowMs, { sinceMs, waitMs: dueMs })) return undefined;
    const running = runningIn(this.#situation, places);
    if (running < this.#size) {
      return `after ${dueMs / 1000} s ${running} of ${this.#size} new tasks run${this.#lastError()}`;
    }
    const { open } = this.#analysis;
    return open === undefined || phase === "starting"
      ? undefined
      : `its checks do not pass: ${open}`;
  }

  #failureOf(failed: Rollout["failed"]): string {
    const id = failed.at(-1);
    const task = this.#fresh.find(({ ID }) => ID === id);
    const { Err, Message, State } = task?.Status ?? {};
    const count = failed.length === 1 ? "" : ` and ${failed.length - 1} more before`;
    return `task ${id}${count} ended: ${Err || Message || State || "it is gone"}`;
  }

  #lastError(): string {
    const { Err } = this.#fresh.findLast(({ Status }) => (Status.Err ?? "") !== "")?.Status ?? {};
    return Err === undefined ? "" : `: ${Err}`;
  }

  // What comes next

  #next(places: readonly TaskSlotPlan[]): Next {
    const rollout = this.#rollout;
    if (rollout.paused !== undefined) return this.#stays();
    if (this.#held !== undefined) return this.#says(rollout, `update ${this.#held}`);
    if (this.#replicas === 0) return this.#completed(places);
    switch (rollout.phase) {
      case "starting":
        return this.#isWhole(places) ? this.#at("watching", this.#step.weight) : this.#stays();
      case "watching":
        return this.#watched(places);
      case "passed":
        return this.#passed(places);
    }
  }

  #watched(places: readonly TaskSlotPlan[]): Next {
    const { sinceMs } = this.#rollout;
    const { waitMs } = this.#step;
    const isDue = hasPassed(this.#nowMs, { sinceMs, waitMs: waitMs ?? 0 });
    if (!isDue || !this.#isWhole(places)) return this.#stays();
    if (this.#analysis.open !== undefined) return this.#told(this.#rollout, this.#analysis.open);
    return waitMs === undefined ? this.#halted("step", "") : this.#passed(places);
  }

  #passed(places: readonly TaskSlotPlan[]): Next {
    const { step, weight } = this.#rollout;
    const last = this.#wish.steps.length - 1;
    // Other labels may have made the steps fewer.
    if (step >= last && weight === 100) return this.#completed(places);
    const next = { step: Math.min(step + 1, last), phase: "starting" } as const;
    return this.#told({ ...this.#rollout, ...next, sinceMs: this.#nowMs });
  }

  #at(phase: "watching", weight: number): Next {
    return this.#told({ ...this.#rollout, phase, weight, sinceMs: this.#nowMs });
  }

  #stays(): Next {
    const { phase, step } = this.#rollout;
    const wasHeld = this.#situation.service.UpdateStatus?.Message.startsWith(waitsBegin) ?? false;
    const restarts = wasHeld && phase === "starting" && step === 0;
    return this.#told(restarts ? { ...this.#rollout, sinceMs: this.#nowMs } : this.#rollout);
  }

  #halted(by: RolloutPause["by"], why: string): Next {
    const { paused = { atMs: this.#nowMs, by } } = this.#rollout;
    return this.#told({ ...this.#rollout, paused }, why);
  }

  #completed(places: readonly TaskSlotPlan[]): Next {
    const atMs = this.#nowMs;
    const { paused: _, ...rest } = this.#rollout;
    const rollout: Rollout = {
      ...rest,
      ...{ weight: 100, phase: "passed", end: { result: "completed", atMs, reason: "" } },
    };
    const at = new Date(atMs).toISOString();
    return {
      rollout,
      status: {
        State: "completed",
        StartedAt: this.#situation.service.UpdateStatus?.StartedAt ?? at,
        CompletedAt: at,
        Message: "update completed",
      },
      updated: places.map(({ taskSlot }) => taskSlot.key),
    };
  }

  #isWhole(places: readonly TaskSlotPlan[]): boolean {
    if (this.#situation.faults.has("weight-without-tasks")) return true;
    return runningIn(this.#situation, places) >= this.#size;
  }

  // Words

  #told(rollout: Rollout, why = ""): Next {
    const State = rollout.paused === undefined ? "updating" : "paused";
    return this.#says(rollout, this.#message(rollout, why), State);
  }

  #says(rollout: Rollout, Message: string, State: "updating" | "paused" = "updating"): Next {
    const { UpdateStatus, Gam } = this.#situation.service;
    const StartedAt = UpdateStatus?.StartedAt ?? new Date(this.#nowMs).toISOString();
    return { rollout, status: { State, StartedAt, Message }, updated: Gam.updated };
  }

  #message({ weight, step, phase, paused }: Rollout, why: string): string {
    const { strategy, steps } = this.#wish;
    const { Name } = this.#situation.service.Spec;
    const at = `${strategy}, step ${Math.min(step, steps.length - 1) + 1} of ${steps.length}`;
    const shares = `${weight} % of new connections go to the new version`;
    if (paused !== undefined) {
      if (paused.by === "failure")
        return `${at}: paused at ${weight} %, since it cannot go back; ${why}`;
      const next = `"gam service resume ${Name}" goes on, "gam service abort ${Name}" goes back`;
      return `${at}: paused at ${weight} %; ${next}`;
    }
    if (phase === "watching")
      return `${at}: ${shares}${why === "" ? "" : `; waits for its checks: ${why}`}`;
    const size = rolloutTasks(stepAt(this.#wish, step), this.#replicas);
    return `${at}: starting tasks of the new version, ${size} in all; ${shares}`;
  }

  get #nowMs(): number {
    return this.#situation.nowMs;
  }
}

const waitsBegin = "update waits for ";

function stepAt({ steps }: RolloutWish, step: number): RolloutStep {
  return (steps[step] ?? steps.at(-1)) as RolloutStep;
}

function runningIn({ view }: Situation, places: readonly TaskSlotPlan[]): number {
  return places.filter(({ current }) => {
    if (current?.Status.State !== "running" || current.NodeID === undefined) return false;
    return isWanted(current) && view.node(current.NodeID)?.Status.State !== "down";
  }).length;
}
