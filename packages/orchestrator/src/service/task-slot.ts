/**
 * Task slot: how one place of a service (a slot, or a node of a global service) gets filled by one task.
 *
 *   ended by itself        shut down, and a successor after the policy's delay, if the policy wants one
 *   ended before its time  left alone until its delay is over. A successor is prepared during its delay, so
 *                          one that cannot be prepared would otherwise be retried without a delay
 *   drained, node removed  shut down, and a successor that starts when the task has stopped; with gam.drain and
 *                          start-first at once
 *   node down              left alone, and a successor at once. Whichever runs first ends the other,
 *                          so a node that comes back soon enough keeps its task
 *   two of one template    the one that got further stays
 *   waits again            a task that has no node yet and may start, while its service waits for another: made
 *                          anew, so that it asks again
 *   one moves to a node    both stay until the new one runs (rebalance.ts)
 *   old and new template   the old one goes when the new one runs, or at once if it does not run itself.
 *                          Without start-first one of them always goes at once, because the new one may
 *                          need what the old one holds. That is the old one if the update has reached this
 *                          place, and the new one if it only stood in for a lost task
 *
 * Does not decide when an outdated task is replaced (update.ts), nor how many places there
 * are (replicated.ts, global.ts).
 */
import type { NodeId, TaskId } from "@gam/core";
import {
  compareStates,
  crashesWith,
  failedOn,
  isWanted,
  type PlannedChange,
  type Task,
} from "@gam/state";
import { endedByItself } from "./ended.ts";
import { createTask } from "./new-task.ts";
import { podCrashes, podDelayMs } from "./pod-restart.ts";
import { dismiss, retire } from "./reap.ts";
import { isDue, successorDelayMs, whomToAwait } from "./restart.ts";
import type { Situation } from "./situation.ts";

export interface TaskSlot {
  /** The slot's number or the node's id, as text: its name in `Gam.updated`. */
  readonly key: string;
  readonly slot?: number;
  readonly node?: NodeId;
  /** For a part of a pod: the task of the main service, and the task that must stop before a first one may run. */
  readonly pod?: { readonly main: TaskId; readonly after: TaskId | "" };
  /** In order of creation, without the tasks to be removed. */
  readonly tasks: readonly Task[];
}

export interface TaskSlotPlan {
  readonly taskSlot: TaskSlot;
  readonly changes: readonly PlannedChange[];
  /** Something in this place waits for a time. */
  readonly waiting: boolean;
  /** The up-to-date task that fills the place. */
  readonly current: Task | undefined;
  /** The outdated task that fills the place. */
  readonly outdated: Task | undefined;
}

export function planTaskSlot(situation: Situation, taskSlot: TaskSlot): TaskSlotPlan {
  const changes: PlannedChange[] = [];
  const giveUp = (tasks: readonly Task[]): void => {
    changes.push(...tasks.map((task) => retire(task)));
  };
  const wanted = Map.groupBy(taskSlot.tasks.filter(isWanted), (task) => asksAgain(situation, task));
  giveUp(wanted.get(true) ?? []);
  const standing = Map.groupBy(wanted.get(false) ?? [], (task) => situation.standing(task));
  const live = Map.groupBy(standing.get("live") ?? [], (task) => situation.isCurrent(task));
  // A completed task of a job is the wanted result: leave it alone.
  const ended = (standing.get("ended") ?? []).filter((task) => !hasDoneItsWork(situation, task));
  const leaving = standing.get("leaving") ?? [];
  const lost = standing.get("lost") ?? [];

  const { placed, movedAway } = settleMoves(live.get(true) ?? []);
  const [alive, ...surplus] = furthestFirst(placed);
  const [outdated, ...leftBehind] = furthestFirst(live.get(false) ?? []);
  const { startsFirst } = situation;
  const oldGoesFirst = !startsFirst && wasTried(situation, taskSlot);
  const standsIn = !startsFirst && !oldGoesFirst && runs(outdated) && !runs(alive);
  const current = standsIn
    ? undefined
    : (alive ?? ended.find((task) => endedBeforeItsTime(situation, task)));
  giveUp([...ended.filter((task) => task !== current), ...leaving, ...leftBehind, ...movedAway]);
  // A spare for a place that recovered: delete it without history.
  const doublesKept = situation.faults.has("doubles-kept");
  for (const task of doublesKept ? [] : surplus) {
    changes.push(runs(task) ? retire(task) : dismiss(situation.view, task));
  }
  if (standsIn && alive !== undefined) changes.push(dismiss(situation.view, alive));
  const oldIsOver = oldGoesFirst || !runs(outdated);
  const replaced = runs(current) || (current !== undefined && oldIsOver) ? outdated : undefined;
  if (replaced !== undefined) giveUp([replaced]);
  if ((runs(current) || runs(outdated)) && !doublesKept) giveUp(lost);

  let waiting = false;
  for (const task of [current, outdated]) {
    if (task === undefined || task === replaced || task.DesiredState !== "ready") continue;
    if (!isDue(situation, task)) waiting = true;
    else changes.push({ kind: "desireTask", id: task.ID, desired: situation.goal });
  }

  if (current === undefined) {
    const made = fill(situation, taskSlot, { outdated, leaving });
    if (made !== undefined) changes.push(made);
  }
  return {
    taskSlot,
    changes,
    waiting,
    current,
    outdated: outdated === replaced ? undefined : outdated,
  };
}

/**
 * Returns: the tasks that fill the place, and those whose successor on another node runs. A successor that does
 *         not run yet is left alone while the task that it takes over from runs.
 */
function settleMoves(tasks: readonly Task[]): {
  readonly placed: readonly Task[];
  readonly movedAway: readonly Task[];
} {
  const movedAway = new Set<Task>();
  const arriving = new Set<Task>();
  for (const task of tasks) {
    const source = tasks.find(({ ID }) => ID === task.Gam.moves);
    if (source === undefined || source === task) continue;
    if (runs(task)) movedAway.add(source);
    else if (runs(source)) arriving.add(task);
  }
  const placed = tasks.filter((task) => !movedAway.has(task) && !arriving.has(task));
  // Tasks of a faulty state that all move from one another fill the place like any others.
  return placed.length === 0
    ? { placed: tasks, movedAway: [] }
    : { placed, movedAway: [...movedAway] };
}

/** Returns: the change that creates the successor, if the place needs one now. */
function fill(
  situation: Situation,
  taskSlot: TaskSlot,
  now: { readonly outdated: Task | undefined; readonly leaving: readonly Task[] },
): PlannedChange | undefined {
  const { slot, node } = taskSlot;
  const pod = taskSlot.pod?.main;
  const newest = taskSlot.tasks.at(-1);
  const failed = newest !== undefined && endedByItself(newest) ? newest : undefined;
  // The outdated task fills the place until the update replaces it. If the update has been here, its task is gone.
  if (now.outdated !== undefined && !wasTried(situation, taskSlot)) return undefined;
  if (failed !== undefined) {
    const delayMs = successorDelayMs(situation, failed, taskSlot.tasks);
    if (delayMs === undefined) return undefined;
    const after = whomToAwait(situation, failed);
    const startAfterMs = delayMs === 0 ? 0 : situation.nowMs + delayMs;
    const restart = failed.Gam.templateVersion === situation.service.Gam.templateVersion;
    const record = restart
      ? { failedOn: failedOn(failed, situation.nowMs), crashes: crashesWith(failed) }
      : {};
    return createTask(situation, { slot, node, pod, after, startAfterMs, restart, ...record });
  }
  const last = now.leaving.at(-1) ?? newest;
  const isBeside =
    last !== undefined && now.leaving.includes(last) && situation.startsBesideLeaving;
  const isFree = last === undefined || last === now.outdated || isBeside;
  const awaited = isFree ? "" : whomToAwait(situation, last);
  const after = awaited || (taskSlot.pod?.after ?? "");
  const ender =
    now.leaving.length === 0 || last === undefined ? undefined : situation.podEnder(last);
  if (ender === undefined || last === undefined)
    return createTask(situation, { slot, node, pod, after });
  return createTask(situation, {
    ...{ slot, node, pod, after, restart: situation.isCurrent(last) },
    startAfterMs: situation.nowMs + (podDelayMs(ender, last) ?? 0),
    crashes: podCrashes(ender, last),
  });
}

function asksAgain(situation: Situation, { DesiredState, Status }: Task): boolean {
  if (DesiredState === "ready" || compareStates(Status.State, "assigned") >= 0) return false;
  return situation.holdsBack;
}

/** Whether the update has already replaced a task in this place. */
function wasTried({ service }: Situation, { key }: TaskSlot): boolean {
  return service.Gam.updated.includes(key);
}

function hasDoneItsWork(situation: Situation, task: Task): boolean {
  return situation.runsToEnd && task.Status.State === "complete";
}

function endedBeforeItsTime({ service, nowMs }: Situation, { DesiredState, Gam }: Task): boolean {
  if (Gam.templateVersion !== service.Gam.templateVersion) return false;
  return DesiredState === "ready" && nowMs < Gam.startAfterMs;
}

function runs(task: Task | undefined): boolean {
  return task?.Status.State === "running";
}

/** Sorting is stable: among equals the older one is first. */
function furthestFirst(tasks: readonly Task[]): Task[] {
  return [...tasks].sort(
    (a, b) =>
      compareStates(b.Status.State, a.Status.State) ||
      compareStates(b.DesiredState, a.DesiredState),
  );
}
