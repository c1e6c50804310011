/**
 * Reap: which tasks leave the state.
 *
 * A task that is to be removed goes when it has ended, or when nobody is left to say so: then its node,
 * should it come back, finds a container without a task and removes it. The history of a place goes
 * when it is longer than the cluster keeps, oldest first, but never the last word of an empty place:
 * it says that the place is meant to be empty.
 */
import {
  compareStates,
  isTerminal,
  isWanted,
  type PlannedChange,
  slotName,
  type Task,
  type View,
} from "@gam/state";
import type { Situation } from "./situation.ts";

const historyDefault = 5;

/** Nothing of the task is left to wait for. */
function isRemovable(view: View, task: Task): boolean {
  if (isTerminal(task.Status.State) || compareStates(task.Status.State, "assigned") < 0)
    return true;
  const node = task.NodeID === undefined ? undefined : view.node(task.NodeID);
  return node === undefined || node.Status.State === "down";
}

/** Out of the state with it, at once if it can be. */
export function dismiss(view: View, task: Task): PlannedChange {
  return isRemovable(view, task)
    ? { kind: "removeTask", id: task.ID }
    : { kind: "desireTask", id: task.ID, desired: "remove" };
}

/** Wished for no more. One that no node has seen has no history to keep. */
export function retire(task: Task): PlannedChange {
  return compareStates(task.Status.State, "assigned") < 0
    ? { kind: "removeTask", id: task.ID }
    : { kind: "desireTask", id: task.ID, desired: "shutdown" };
}

/** The tasks of a service that is no more. */
export function reapService(view: View, tasks: readonly Task[]): PlannedChange[] {
  return tasks
    .filter((task) => task.DesiredState !== "remove" || isRemovable(view, task))
    .map((task) => dismiss(view, task));
}

/**
 * Of a service that is there: what was dismissed before, lost with its node, or is too old.
 *
 * Shape: `planned` is what happens to the service beside this. Tasks made there count in their places,
 *        tasks removed there do not.
 */
export function reapTasks(
  situation: Situation,
  tasks: readonly Task[],
  planned: readonly PlannedChange[],
): PlannedChange[] {
  const { view, service, nowMs } = situation;
  const changes: PlannedChange[] = [];
  const kept: Task[] = [];
  const gone = new Set(planned.flatMap((one) => (one.kind === "removeTask" ? [one.id] : [])));
  for (const task of tasks) {
    if (gone.has(task.ID)) continue;
    if (task.DesiredState !== "remove") kept.push(task);
    else if (isRemovable(view, task)) changes.push({ kind: "removeTask", id: task.ID });
  }
  const { MaxAttempts = 0 } = service.Spec.TaskTemplate.RestartPolicy ?? {};
  const limit =
    MaxAttempts > 0
      ? MaxAttempts + 1
      : (view.cluster?.Spec.Orchestration.TaskHistoryRetentionLimit ?? historyDefault);
  const coming = new Set<string>();
  for (const one of planned) if (one.kind === "createTask") coming.add(slotName(one.task));
  const reaped = new Set<Task>();
  const places = Map.groupBy(kept, slotName);
  for (const [name, place] of places) {
    const room = coming.has(name) ? limit - 1 : limit;
    for (const task of tooOld(view, place, limit < 0 ? place.length : room)) reaped.add(task);
  }
  for (const task of kept) {
    if (reaped.has(task)) changes.push({ kind: "removeTask", id: task.ID });
    else if (isOrphan(view, task)) changes.push(orphaned(task, nowMs));
  }
  return changes;
}

/** Shape: `limit` counts the wanted ones too. */
function tooOld(view: View, place: readonly Task[], limit: number): Task[] {
  const past = place.filter((task) => !isWanted(task));
  const lastWord = past.length === place.length ? past.at(-1) : undefined;
  const [neverRan = [], ran = []] = [true, false].map((never) =>
    past.filter((task) => compareStates(task.Status.State, "assigned") < 0 === never),
  );
  const surplus = ran.length - Math.max(0, limit - (place.length - past.length));
  const oldest = ran.slice(0, Math.max(0, surplus)).filter((task) => isRemovable(view, task));
  return [...neverRan, ...oldest].filter((task) => task !== lastWord);
}

/** Its node was removed, so nobody else will say how it ended. */
function isOrphan(view: View, task: Task): boolean {
  if (task.NodeID === undefined || isTerminal(task.Status.State)) return false;
  return view.node(task.NodeID) === undefined;
}

function orphaned(task: Task, nowMs: number): PlannedChange {
  const Timestamp = new Date(nowMs).toISOString();
  const status = { ...task.Status, Timestamp, State: "orphaned" as const, Message: "node removed" };
  return { kind: "orphanTask", id: task.ID, status };
}
