/**
 * Restart: whether a task that ended by itself gets a successor, and when that one may start.
 *
 * The history is in the state: successors carry `restart` and the template they were made from, so
 * attempts are counted anew after each change of the template, by any leader.
 */
import type { TaskId } from "@gam/core";
import { compareStates, isTerminal, restartDelayMs, type Task } from "@gam/state";
import { hasPassed } from "./elapsed.ts";
import type { Situation } from "./situation.ts";

/** A successor waits no longer than this for the one before it to stop. */
const stopWaitMsMax = 60_000;

/** It ended, and nobody had asked it to. */
export function endedByItself(task: Task): boolean {
  const { State } = task.Status;
  return State === "complete" || State === "failed" || State === "rejected";
}

/**
 * How long the successor of `ended` waits, in milliseconds; `undefined` when there is to be none.
 *
 * Shape: `tasks` are all of the same place, `ended` among them.
 */
export function successorDelayMs(
  situation: Situation,
  ended: Task,
  tasks: readonly Task[],
): number | undefined {
  const { service } = situation;
  // What ran by another template has nothing to say about this one.
  if (ended.Gam.templateVersion !== service.Gam.templateVersion) return 0;
  if (ended.Status.State === "orphaned") return 0;
  const restarts = tasks.filter(
    ({ Gam }) => Gam.restart && Gam.templateVersion === service.Gam.templateVersion,
  );
  const endMs = Date.parse(ended.Status.Timestamp);
  return restartDelayMs(service.Spec.TaskTemplate.RestartPolicy, {
    hasFailed: ended.Status.State !== "complete",
    isJob: situation.isJob,
    restartsMsAgo: restarts.map(({ CreatedAt }) => endMs - Date.parse(CreatedAt)),
  });
}

/** The task waits for nothing any more and may run. */
export function isDue(situation: Situation, task: Task): boolean {
  const sinceMs = Date.parse(task.CreatedAt);
  const waitMs = task.Gam.startAfterMs - sinceMs;
  return hasPassed(situation.nowMs, { sinceMs, waitMs }) && !mustWait(situation, task);
}

/** The one before it has not stopped yet. */
function mustWait(situation: Situation, task: Task): boolean {
  const { view, nowMs, faults } = situation;
  if (task.Gam.after === "" || faults.has("replacement-does-not-wait")) return false;
  const before = view.task(task.Gam.after);
  if (before === undefined || !isStopping(situation, before)) return false;
  return nowMs - Date.parse(task.CreatedAt) < stopWaitMsMax;
}

/** It may still run somewhere, and its node will say when it does not. */
function isStopping(situation: Situation, task: Task): boolean {
  if (isTerminal(task.Status.State) || situation.isOutOfReach(task.NodeID)) return false;
  return compareStates(task.Status.State, "assigned") >= 0;
}

/**
 * For whom the successor of `task` must wait; "" for nobody. One that was still waiting itself hands on
 * what it waited for: it never ran.
 */
export function whomToAwait(situation: Situation, task: Task): TaskId | "" {
  if (mustWait(situation, task)) return task.Gam.after;
  return isStopping(situation, task) ? task.ID : "";
}
