/**
 * Restart: whether a task that ended by itself gets a successor, and when the successor may start.
 *
 * The history is in the state: successors carry `restart` and their template's version. So any leader can
 * count the attempts and the crashes in a row, and each change of the template starts new counts.
 */
import type { TaskId } from "@gam/core";
import {
  compareStates,
  crashesWith,
  failedOn,
  isTerminal,
  restartDelayMs,
  restartPolicyOf,
  type Task,
} from "@gam/state";
import { hasPassed } from "./elapsed.ts";
import type { Situation } from "./situation.ts";

/** The longest time that a successor waits for the old task to stop. */
const stopWaitMsMax = 60_000;

/**
 * Returns: how long the successor of `ended` waits, in milliseconds; `undefined` for no successor.
 *
 * Shape: `tasks` are all tasks of the same place, `ended` among them.
 */
export function successorDelayMs(
  situation: Situation,
  ended: Task,
  tasks: readonly Task[],
): number | undefined {
  const { service } = situation;
  // The end of a task of another template says nothing about this template.
  if (ended.Gam.templateVersion !== service.Gam.templateVersion) return 0;
  if (ended.Status.State === "orphaned") return 0;
  const restarts = tasks.filter(
    ({ Gam }) => Gam.restart && Gam.templateVersion === service.Gam.templateVersion,
  );
  const endMs = Date.parse(ended.Status.Timestamp);
  return restartDelayMs(restartPolicyOf(service.Spec), {
    hasFailed: ended.Status.State !== "complete",
    isJob: situation.runsToEnd,
    restartsMsAgo: restarts.map(({ CreatedAt }) => endMs - Date.parse(CreatedAt)),
    crashes: situation.faults.has("crashes-forgotten") ? 1 : crashesInPlace(ended, endMs),
  });
}

/** The first crashes on each node are restarted without back-off: they may be the node's fault, and others are tried. */
const quickOnNode = 3;

/** Crashes that the back-off counts; 1: none yet. */
function crashesInPlace(ended: Task, endMs: number): number {
  const tried = Math.max(1, failedOn(ended, endMs).length);
  return Math.max(1, crashesWith(ended).count + 1 - quickOnNode * tried);
}

/**
 * Whether the task may run now: its delay is over, the old task has stopped, its service waits for no other, and the
 * init containers of its pod have completed.
 */
export function isDue(situation: Situation, task: Task): boolean {
  const sinceMs = Date.parse(task.CreatedAt);
  const waitMs = task.Gam.startAfterMs - sinceMs;
  if (!hasPassed(situation.nowMs, { sinceMs, waitMs }) || mustWait(situation, task)) return false;
  return !situation.mustWait && !situation.waitsForInit(task);
}

/** Whether the old task has not stopped yet, and the longest wait is not over. */
function mustWait(situation: Situation, task: Task): boolean {
  const { view, nowMs, faults } = situation;
  if (task.Gam.after === "" || faults.has("replacement-does-not-wait")) return false;
  const before = view.task(task.Gam.after);
  if (before === undefined || !isStopping(situation, before)) return false;
  return nowMs - Date.parse(task.CreatedAt) < stopWaitMsMax;
}

/** Whether it may still run on a node that can report its end. */
function isStopping(situation: Situation, task: Task): boolean {
  if (isTerminal(task.Status.State) || situation.isOutOfReach(task.NodeID)) return false;
  return compareStates(task.Status.State, "assigned") >= 0;
}

/**
 * Returns: the task that the successor of `task` must wait for; "" for none. If `task` is still waiting
 *          itself, it never ran, and the successor waits for the same task.
 */
export function whomToAwait(situation: Situation, task: Task): TaskId | "" {
  if (mustWait(situation, task)) return task.Gam.after;
  return isStopping(situation, task) ? task.ID : "";
}
