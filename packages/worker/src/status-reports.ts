/**
 * Status reports: decides which task states to report to the cluster, and when.
 *
 * At most one report is in flight. Each has the newest status of every task whose replicated status is older, so
 * skipped states do no harm. A report is sent again until the state shows it.
 */
import type { TaskId } from "@gam/core";
import { compareStates, mergeStatus, type ReportedChange, type TaskStatus } from "@gam/state";
import type { WorkerLimits } from "./limits.ts";
import type { LocalTask } from "./local-task.ts";

export class StatusReports {
  readonly #limits: WorkerLimits;
  readonly #forgetful: boolean;
  #flying: Map<TaskId, TaskStatus> | undefined;

  /** `forgetful` is a planted fault: no report is sent twice. */
  constructor(limits: WorkerLimits, forgetful = false) {
    this.#limits = limits;
    this.#forgetful = forgetful;
  }

  settled(committed: boolean, life: (id: TaskId) => LocalTask | undefined, nowTick: number): void {
    for (const id of this.#flying?.keys() ?? []) {
      const one = life(id);
      // A lost report is sent with the next tick, not at once: a leader that refuses it would get it in a loop.
      if (one !== undefined) one.resendTick = nowTick + (committed ? this.#limits.resendTicks : 1);
    }
    this.#flying = undefined;
  }

  /** Whether no report is in flight and none is due, now or later. */
  isEmpty(lives: Iterable<LocalTask>): boolean {
    if (this.#flying !== undefined) return false;
    for (const local of lives) if (newsOf(local) !== undefined) return false;
    return true;
  }

  /** The next report. Empty while one is in flight or nothing is due. */
  next(lives: Iterable<LocalTask>, nowTick: number): ReportedChange[] {
    if (this.#flying !== undefined) return [];
    const flying = new Map<TaskId, TaskStatus>();
    for (const local of lives) {
      if (flying.size === this.#limits.reportChangesMax) break;
      const status = this.#due(local, nowTick);
      if (status === undefined) continue;
      flying.set(local.id, status);
      local.sent = status;
      local.quietTick = nowTick;
    }
    if (flying.size > 0) this.#flying = flying;
    return [...flying].map(([id, status]) => ({ kind: "reportTask", id, status }));
  }

  #due(local: LocalTask, nowTick: number): TaskStatus | undefined {
    const { sent, resendTick, quietTick } = local;
    const status = newsOf(local);
    if (status === undefined) return undefined;
    if (sent === status && (nowTick < resendTick || this.#forgetful)) return undefined;
    const underWay = compareStates(status.State, "running") < 0;
    if (underWay && nowTick < quietTick + this.#limits.dawdleTicks) return undefined;
    return status;
  }
}

/** The status of a task, if it is newer than the state's. */
function newsOf({ task, status }: LocalTask): TaskStatus | undefined {
  if (task === undefined || status === undefined || status === task.Status) return undefined;
  return mergeStatus(task.Status, status) === task.Status ? undefined : status;
}
