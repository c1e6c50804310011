/**
 * Status reports: which task states are told to the cluster, and when.
 *
 * There is one report in flight. Each carries the newest state of every task of which the replicated
 * state knows less, so what was skipped is never missed. It is sent again until the state shows it.
 */
import type { TaskId } from "@gam/core";
import { compareStates, mergeStatus, type ReportedChange, type TaskStatus } from "@gam/state";
import type { WorkerLimits } from "./limits.ts";
import type { LocalTask } from "./local-task.ts";

export class StatusReports {
  readonly #limits: WorkerLimits;
  readonly #forgetful: boolean;
  #flying: Map<TaskId, TaskStatus> | undefined;

  /** `forgetful` is a planted fault: what was sent is never sent again. */
  constructor(limits: WorkerLimits, forgetful = false) {
    this.#limits = limits;
    this.#forgetful = forgetful;
  }

  settled(committed: boolean, life: (id: TaskId) => LocalTask | undefined, nowTick: number): void {
    for (const id of this.#flying?.keys() ?? []) {
      const one = life(id);
      // A lost one goes out with the next tick, not at once: whoever refused it would be asked in a loop.
      if (one !== undefined) one.resendTick = nowTick + (committed ? this.#limits.resendTicks : 1);
    }
    this.#flying = undefined;
  }

  /** Nothing is on its way, and nothing will be as things stand. */
  isEmpty(lives: Iterable<LocalTask>): boolean {
    if (this.#flying !== undefined) return false;
    for (const local of lives) if (newsOf(local) !== undefined) return false;
    return true;
  }

  /** Empty while a report is in flight or nothing is worth one. */
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

/** What is known here of a task and not to the state. */
function newsOf({ task, status }: LocalTask): TaskStatus | undefined {
  if (task === undefined || status === undefined || status === task.Status) return undefined;
  return mergeStatus(task.Status, status) === task.Status ? undefined : status;
}
