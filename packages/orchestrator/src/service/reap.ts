/**
 * Reap: which tasks are deleted from the state.
 *
 * A task to be removed is deleted when it has ended, or when its node is gone or down. If that node
 * returns, it finds a container without a task and removes it. A place's history is deleted, oldest first,
 * beyond the number of tasks that the cluster keeps. The newest task of an empty place stays, because it
 * shows that the place is meant to be empty.
 */
import {
  activeRuns,
  compareStates,
  isTerminal,
  isWanted,
  type NewTask,
  type PlannedChange,
  restartPolicyOf,
  slotName,
  type Task,
  type View,
} from "@gam/state";
import { runOf, type Situation } from "./situation.ts";

const historyDefault = 5;

/** Whether the task can be deleted at once: it has ended or never started, or its node is gone or down. */
function isRemovable(view: View, task: Task): boolean {
  if (isTerminal(task.Status.State) || compareStates(task.Status.State, "assigned") < 0)
    return true;
  const node = task.NodeID === undefined ? undefined : view.node(task.NodeID);
  return node === undefined || node.Status.State === "down";
}

/** Removes the task: deletes it at once if possible, otherwise stops it first. */
export function dismiss(view: View, task: Task): PlannedChange {
  return isRemovable(view, task)
    ? { kind: "removeTask", id: task.ID }
    : { kind: "desireTask", id: task.ID, desired: "remove" };
}

/** Stops the task and keeps it as history. A task that no node has got is deleted instead. */
export function retire(task: Task): PlannedChange {
  return compareStates(task.Status.State, "assigned") < 0
    ? { kind: "removeTask", id: task.ID }
    : { kind: "desireTask", id: task.ID, desired: "shutdown" };
}

/** Removes the tasks of a removed service. */
export function reapService(view: View, tasks: readonly Task[]): PlannedChange[] {
  return tasks
    .filter((task) => task.DesiredState !== "remove" || isRemovable(view, task))
    .map((task) => dismiss(view, task));
}

/**
 * For an existing service: deletes dismissed tasks that can go and history that is too old, and marks the
 * tasks of removed nodes as orphaned.
 *
 * Shape: `planned` has the service's other changes. Tasks that it creates count in their places, tasks
 *        that it deletes do not.
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
  const { MaxAttempts = 0 } = restartPolicyOf(service.Spec) ?? {};
  const limit =
    MaxAttempts > 0
      ? MaxAttempts + 1
      : (view.cluster?.Spec.Orchestration.TaskHistoryRetentionLimit ?? historyDefault);
  const coming = new Set<string>();
  const placeOf = placesOf(situation);
  for (const one of planned) if (one.kind === "createTask") coming.add(placeOf(one.task));
  const reaped = new Set<Task>();
  const present = presentRuns(situation);
  const places = Map.groupBy(kept, placeOf);
  for (const [name, place] of places) {
    const room = coming.has(name) ? limit - 1 : limit;
    const isPast = (task: Task): boolean => !isWanted(task) || isOfEarlierRun(task, present);
    const past = place.filter(isPast);
    const wanted = place.length - past.length;
    for (const task of tooOld(view, past, { wanted, limit: limit < 0 ? place.length : room }))
      reaped.add(task);
  }
  const runs = service.Gam.cron && new Set(service.Gam.cron.runs.map(({ iteration }) => iteration));
  for (const task of kept) {
    const isOfKeptRun = runs === undefined || runs.has(runOf(task));
    if (!isOfKeptRun && isTerminal(task.Status.State)) reaped.add(task);
    if (reaped.has(task)) changes.push({ kind: "removeTask", id: task.ID });
    else if (isOrphan(view, task)) changes.push(orphaned(task, nowMs));
  }
  return changes;
}

/** Returns: the name of a task's place. The runs of a job with a schedule have their own. */
function placesOf({ service }: Situation): (task: Task | NewTask) => string {
  if (service.Gam.cron === undefined) return slotName;
  return (task) => `${task.JobIteration?.Index ?? 0}/${slotName(task)}`;
}

/** Returns: the runs of a job that are planned now; undefined for other services. */
function presentRuns({ isJob, iteration, service }: Situation): ReadonlySet<number> | undefined {
  if (service.Gam.cron === undefined) return isJob ? new Set([iteration]) : undefined;
  return new Set(activeRuns(service).map((run) => run.iteration));
}

/** The completed tasks of a job stay wanted until the job runs again. */
function isOfEarlierRun(task: Task, present: ReadonlySet<number> | undefined): boolean {
  return present !== undefined && !present.has(runOf(task)) && isTerminal(task.Status.State);
}

/** Shape: `limit` includes the wanted tasks. */
function tooOld(
  view: View,
  past: readonly Task[],
  { wanted, limit }: { readonly wanted: number; readonly limit: number },
): Task[] {
  const lastWord = wanted === 0 ? past.at(-1) : undefined;
  const [neverRan = [], ran = []] = [true, false].map((never) =>
    past.filter((task) => compareStates(task.Status.State, "assigned") < 0 === never),
  );
  const surplus = ran.length - Math.max(0, limit - wanted);
  const oldest = ran.slice(0, Math.max(0, surplus)).filter((task) => isRemovable(view, task));
  return [...neverRan, ...oldest].filter((task) => task !== lastWord);
}

/** Whether its node was removed, so that no worker will report its end. */
function isOrphan(view: View, task: Task): boolean {
  if (task.NodeID === undefined || isTerminal(task.Status.State)) return false;
  return view.node(task.NodeID) === undefined;
}

function orphaned(task: Task, nowMs: number): PlannedChange {
  const Timestamp = new Date(nowMs).toISOString();
  const status = { ...task.Status, Timestamp, State: "orphaned" as const, Message: "node removed" };
  return { kind: "orphanTask", id: task.ID, status };
}
