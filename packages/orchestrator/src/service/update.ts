/**
 * Update: how outdated tasks are replaced, a few at a time.
 *
 *   (nothing) --out of date--> updating --all done--> completed
 *                                 |  too many fail
 *                                 +-----------------> paused | rollback_started --> rollback_completed
 *                                                                  '--> rollback_paused
 *
 * Its progress is in the service: its status, the places it has replaced, and when the last of them had
 * settled. A place has settled when its new task has run once or has failed. The next place begins after
 * that and the delay. The update ends after one more monitoring time.
 *
 * Does not decide what a failed task's successor does (restart.ts), nor when the old task goes in
 * start-first order (task-slot.ts). Ignores places that were empty before: they are filled by the current template
 * anyway. A place whose task has just ended by itself is filled too, but its new task belongs to the update, which
 * would otherwise be over before that task runs.
 */
import {
  isTerminal,
  mayReturn,
  type PlannedChange,
  type Task,
  type UpdateConfig,
  type UpdateStatus,
} from "@gam/state";
import { hasPassed } from "./elapsed.ts";
import { endedByItself } from "./ended.ts";
import { createTask } from "./new-task.ts";
import { retire } from "./reap.ts";
import { whomToAwait } from "./restart.ts";
import type { Situation } from "./situation.ts";
import type { TaskSlotPlan } from "./task-slot.ts";

const monitorMsDefault = 5000;
/** A client that changes several secrets and configs sends them one after the other. */
const contentsSettleMs = 1000;

export interface UpdatePlan {
  readonly changes: readonly PlannedChange[];
  readonly waiting: boolean;
}

/** How the message of an update begins while it waits for another service. */
const waitsBegin = "update waits for ";
const inProgress = "update in progress";

const nothing: UpdatePlan = { changes: [], waiting: false };
const wait: UpdatePlan = { changes: [], waiting: true };

export function planUpdate(situation: Situation, places: readonly TaskSlotPlan[]): UpdatePlan {
  return new Updating(situation, places).plan();
}

class Updating {
  readonly #situation: Situation;
  readonly #config: UpdateConfig;
  readonly #status: UpdateStatus | undefined;
  readonly #updated: readonly TaskSlotPlan[];
  /** The keys of all places that the update has reached, and of those that are filled now. */
  readonly #reached: readonly string[];
  readonly #outdated: readonly TaskSlotPlan[];

  constructor(situation: Situation, places: readonly TaskSlotPlan[]) {
    const { Spec, UpdateStatus, Gam } = situation.service;
    const isUpdated = new Set(Gam.updated);
    this.#situation = situation;
    this.#status = UpdateStatus;
    this.#config =
      (UpdateStatus?.State === "rollback_started" ? Spec.RollbackConfig : Spec.UpdateConfig) ??
      configDefault;
    this.#updated = places.filter(({ taskSlot }) => isUpdated.has(taskSlot.key));
    const filled = places.filter(
      (place) => !isUpdated.has(place.taskSlot.key) && this.#isFilledNow(place),
    );
    this.#reached = [...Gam.updated, ...filled.map(({ taskSlot }) => taskSlot.key)];
    this.#outdated = places.filter(
      ({ taskSlot, outdated, current }) =>
        outdated !== undefined && current === undefined && !isUpdated.has(taskSlot.key),
    );
  }

  plan(): UpdatePlan {
    const state = this.#status?.State;
    if (state === "paused" || state === "rollback_paused") return nothing;
    const running = state === "updating" || state === "rollback_started";
    if (!running && this.#outdated.length > 0) {
      return this.#mayGetMoreContents() ? wait : this.#wave(this.#begun());
    }
    if (!running) return this.#isIdleRoll() ? this.#complete() : nothing;
    const failure = this.#failure();
    if (failure !== undefined) return this.#fail(failure);
    if (this.#reached.length > this.#situation.service.Gam.updated.length) {
      return { changes: [this.#progress(this.#status, 0, this.#reached)], waiting: true };
    }
    return this.#outdated.length === 0 ? this.#finish() : this.#goOn();
  }

  /** Whether new content began this update just now, and another object of the service may follow. */
  #mayGetMoreContents(): boolean {
    const { service, contents, nowMs } = this.#situation;
    const isByContent = Object.keys(service.Gam.earlier).length > 0;
    if (!isByContent || Object.keys(contents).length < 2) return false;
    const sinceMs = Date.parse(service.UpdatedAt);
    return !hasPassed(nowMs, { sinceMs, waitMs: contentsSettleMs });
  }

  /** Whether a secret or config has new content, and no task had the old one: later updates do not belong to it. */
  #isIdleRoll(): boolean {
    return (
      this.#status === undefined && Object.keys(this.#situation.service.Gam.earlier).length > 0
    );
  }

  /** Whether a task of an older template ended by itself here, and this plan makes its successor. */
  #isFilledNow({ taskSlot, changes }: TaskSlotPlan): boolean {
    const ended = taskSlot.tasks.at(-1);
    if (ended === undefined || !endedByItself(ended) || this.#isOfThisUpdate(ended)) return false;
    return changes.some(({ kind }) => kind === "createTask");
  }

  #goOn(): UpdatePlan {
    const { updated } = this.#situation.service.Gam;
    const delayMs = (this.#config.Delay ?? 0) / 1e6;
    if (updated.length === 0 || delayMs === 0) return this.#wave(this.#status ?? this.#begun());
    if (this.#inFlight() > 0) return nothing;
    return this.#afterSettling(delayMs, () => this.#wave(this.#status ?? this.#begun()));
  }

  #finish(): UpdatePlan {
    const { updated } = this.#situation.service.Gam;
    if (this.#inFlight() > 0) return nothing;
    // An update that ignores failures need not wait for them.
    if (updated.length === 0 || this.#config.FailureAction === "continue") return this.#complete();
    const monitorMs = (this.#config.Monitor ?? 0) / 1e6 || monitorMsDefault;
    return this.#afterSettling(monitorMs, () => this.#complete());
  }

  /** Notes when all places had settled, and waits for the delay from then on. */
  #afterSettling(delayMs: number, then: () => UpdatePlan): UpdatePlan {
    const { nowMs, service } = this.#situation;
    const settledAtMs = service.Gam.waveAtMs;
    if (settledAtMs === 0) {
      return { changes: [this.#progress(this.#status, nowMs, service.Gam.updated)], waiting: true };
    }
    return hasPassed(nowMs, { sinceMs: settledAtMs, waitMs: delayMs }) ? then() : wait;
  }

  #wave(status: UpdateStatus): UpdatePlan {
    const { waveMax } = this.#situation;
    const parallelism = this.#config.Parallelism || waveMax;
    const room = Math.min(parallelism - this.#inFlight(), waveMax);
    if (room <= 0) return nothing;
    const wave = this.#outdated.slice(0, room);
    if (wave.length === 0) return nothing;
    const why = this.#situation.updateWaitsFor;
    if (why !== undefined) return this.#hold(status, `update ${why}`);
    const updated = [...this.#reached, ...wave.map(({ taskSlot }) => taskSlot.key)];
    const replacements = wave.flatMap((one) => this.#replace(one));
    const held = status.Message.startsWith(waitsBegin);
    const told = held ? { ...status, Message: inProgress } : status;
    return { changes: [...replacements, this.#progress(told, 0, updated)], waiting: false };
  }

  /** Stops no task while its replacement could not start, and says what the update waits for. */
  #hold(status: UpdateStatus, Message: string): UpdatePlan {
    if (this.#status?.State === status.State && this.#status.Message === Message) return wait;
    const { waveAtMs, updated } = this.#situation.service.Gam;
    return { changes: [this.#progress({ ...status, Message }, waveAtMs, updated)], waiting: true };
  }

  #replace({ taskSlot, outdated }: TaskSlotPlan): PlannedChange[] {
    const { slot, node } = taskSlot;
    const pod = taskSlot.pod?.main;
    if (outdated === undefined || this.#config.Order === "start-first") {
      return [createTask(this.#situation, { slot, node, pod })];
    }
    const after = whomToAwait(this.#situation, outdated);
    return [createTask(this.#situation, { slot, node, pod, after }), retire(outdated)];
  }

  /** Places whose new task has neither run nor failed yet. */
  #inFlight(): number {
    return this.#updated.filter(({ taskSlot, current }) => {
      if (current === undefined || current.Gam.startedAtMs !== undefined) return false;
      return !taskSlot.tasks.some(
        (task) => this.#isOfThisUpdate(task) && isTerminal(task.Status.State),
      );
    }).length;
  }

  /** Returns: the newest task that failed early, if the share of failures is too great. */
  #failure(): Task | undefined {
    if (this.#config.FailureAction === "continue") return undefined;
    const failed = this.#updated
      .map(({ taskSlot }) => taskSlot.tasks.find((task) => this.#failedEarly(task)))
      .filter((task) => task !== undefined);
    const places = this.#situation.service.Gam.updated.length + this.#outdated.length;
    if (failed.length / places <= (this.#config.MaxFailureRatio ?? 0)) return undefined;
    return failed.sort((a, b) => compareTimes(b, a))[0];
  }

  #failedEarly(task: Task): boolean {
    if (!this.#isOfThisUpdate(task) || task.Gam.restart || !endedByItself(task)) return false;
    if (task.Gam.startedAtMs === undefined) return true;
    const monitorMs = (this.#config.Monitor ?? 0) / 1e6 || monitorMsDefault;
    return Date.parse(task.Status.Timestamp) - task.Gam.startedAtMs <= monitorMs;
  }

  #isOfThisUpdate(task: Task): boolean {
    return task.Gam.templateVersion === this.#situation.service.Gam.templateVersion;
  }

  #fail(task: Task): UpdatePlan {
    const { service, view } = this.#situation;
    const because = `due to failure or early termination of task ${task.ID}`;
    const rolling = this.#status?.State === "rollback_started";
    // A secret or config that the previous spec names may have been removed, or the policy may be stricter now.
    const mayGoBack = service.PreviousSpec !== undefined && mayReturn(view, service.PreviousSpec);
    if (this.#config.FailureAction === "rollback" && mayGoBack && !rolling) {
      const message = `update rolled back ${because}`;
      const basedOn = service.Version.Index;
      const change = { kind: "rollbackService", id: service.ID, basedOn, message } as const;
      return { changes: [change], waiting: false };
    }
    const State = rolling ? "rollback_paused" : "paused";
    const Message = `${rolling ? "rollback" : "update"} paused ${because}`;
    const StartedAt = this.#status?.StartedAt ?? this.#now();
    return this.#end({ State, StartedAt, Message });
  }

  #complete(): UpdatePlan {
    const rolling = this.#status?.State === "rollback_started";
    return this.#end({
      State: rolling ? "rollback_completed" : "completed",
      StartedAt: this.#status?.StartedAt ?? this.#now(),
      CompletedAt: this.#now(),
      Message: rolling ? `rollback completed${this.#reasonOfRollout()}` : "update completed",
    });
  }

  /** Swarm's clients show the last message only. */
  #reasonOfRollout(): string {
    const { end } = this.#situation.service.Gam.rollout ?? {};
    return end === undefined ? "" : `: ${end.reason}`;
  }

  /** Keeps the list of replaced places: this template's update does not try them again. */
  #end(status: UpdateStatus): UpdatePlan {
    const { updated } = this.#situation.service.Gam;
    return { changes: [this.#progress(status, 0, updated)], waiting: false };
  }

  #begun(): UpdateStatus {
    return { State: "updating", StartedAt: this.#now(), Message: inProgress };
  }

  #progress(
    status: UpdateStatus | undefined,
    waveAtMs: number,
    updated: readonly string[],
  ): PlannedChange {
    const { ID, Version } = this.#situation.service;
    const basedOn = Version.Index;
    return { kind: "progressUpdate", id: ID, basedOn, status, waveAtMs, updated };
  }

  #now(): string {
    return new Date(this.#situation.nowMs).toISOString();
  }
}

const configDefault: UpdateConfig = { Parallelism: 1 };

function compareTimes(a: Task, b: Task): number {
  return Date.parse(a.Status.Timestamp) - Date.parse(b.Status.Timestamp);
}
