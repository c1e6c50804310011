/**
 * Local task: decides the next step of one task on its node.
 *
 *   accepted -> preparing -> ready -> starting -> running -> complete | failed | shutdown
 *        `---------- rejected                 `-> failed
 *
 * Decides from four facts: the desired state, the state that the task has reached, what the engine has, and
 * whether the task's files are in place.
 * Does not decide how many actions run at once nor when reports are sent (worker.ts, status-reports.ts). These
 * facts are enough to continue after a restart: that is how a new worker adopts containers.
 */
import type { TaskId } from "@gam/core";
import {
  compareStates,
  dependenciesOf,
  isLeaving,
  isTerminal,
  isWanted,
  type Task,
  type TaskState,
  type TaskStatus,
} from "@gam/state";
import type { ActionId, ContainerState } from "./action.ts";
import type { ContainerPlan } from "./container-plan.ts";
import { endReason } from "./end-reason.ts";
import {
  alone,
  createdMain,
  hasDeadNetwork,
  hasEarlierPart,
  isForsaken,
  outlasts,
  type PodFacts,
  runningMain,
  sharesNetwork,
} from "./pod.ts";
import { restartTicksOf } from "./restart-in-place.ts";

/** A task of this node, or a container whose task is not in the state. */
export interface LocalTask {
  readonly id: TaskId;
  task: Task | undefined;
  container: ContainerState | undefined;
  /** The newest status. Absent when the task is not in the state. */
  status: TaskStatus | undefined;
  plan: ContainerPlan | undefined;
  /**
   * Whether its files are in place. `unknown`: an earlier worker began the task, or the files are being written. They
   * are written again before a start, and deleted in the end.
   */
  files: "none" | "unknown" | "placed";
  /** How often in a row no manager could be asked for its files or credentials. */
  unanswered: number;
  /** The action in flight. A task has one at a time. */
  busy: ActionId | undefined;
  /** No step before this tick. */
  waitTick: number;
  /** Whether the engine has the image: not asked yet, the engine lacks it, or it was pulled since. */
  image: "assumed" | "lacking" | "fetched";
  /** A list of containers contradicted the known state: inspect before acting. */
  doubted: boolean;
  /** When the end of the container was seen. */
  endedTick: number | undefined;
  /** When the task was first seen as not wanted any more. */
  unwantedTick: number;
  /** The log entry at which that was seen. */
  unwantedIndex: number;
  /** Its open connections when they were last counted; undefined before the first count. */
  counted: { readonly connections: number; readonly atTick: number } | undefined;
  /**
   * It was to start before this worker came, and this worker has not seen its container run. What its service waits
   * for may not run any more, so only the leader starts it again. Until the state has caught up, it may not show that
   * a task was to start.
   */
  isOld: boolean;
  /** When the container was restarted in place. */
  restartTicks: readonly number[];
  /** The last report, and when to send it again if the state still does not show it. */
  sent: TaskStatus | undefined;
  resendTick: number;
  /** When the status last changed or was last reported. */
  quietTick: number;
}

type DrainingTask = Pick<
  LocalTask,
  "id" | "task" | "status" | "counted" | "unwantedTick" | "unwantedIndex"
>;

export interface Circumstances {
  readonly caughtUp: boolean;
  readonly led: boolean;
  /** There has been no leader for so long that containers are restarted in place. */
  readonly leaderless: boolean;
  readonly nowTick: number;
  readonly tickMs: number;
  readonly drainTicks: number;
  readonly drainTicksMax: number;
  readonly countTicksMin: number;
  readonly countTicksMax: number;
  readonly dawdleTicks: number;
  /** How long leaving tasks may keep their open connections. */
  readonly drainsMs: ReadonlyMap<TaskId, number>;
  /** The log entry that all nodes which send connections have applied. */
  readonly steeredIndex: number;
}

export type NextStep =
  | { readonly kind: "nothing" }
  | { readonly kind: "wait"; readonly untilTick: number }
  | {
      readonly kind: "become";
      readonly state: TaskState;
      readonly message: string;
      readonly err?: string;
    }
  | { readonly kind: "prepare" | "start" | "stop" | "remove" | "inspect" | "forget" | "count" }
  | { readonly kind: "dropFiles" };

const nothing: NextStep = { kind: "nothing" };
/** The message of a task that waits for its connections. */
const draining = "draining";

/** Returns one step. Call it again when that step is done, or when a fact has changed. */
export function nextStepOf(local: LocalTask, now: Circumstances, pod = alone): NextStep {
  const { task, container, status } = local;
  if (local.doubted && container !== undefined) return { kind: "inspect" };
  if (task === undefined || status === undefined) return needOfStray(local, now);
  const ended = isTerminal(status.State);
  const unwanted = !isWanted(task) || isForsaken(pod);
  if (container?.phase === "running") {
    if (ended) return { kind: "stop" };
    if (unwanted) return needOfUnwanted(local, task, { now, pod });
    return hasDeadNetwork(local, pod) ? { kind: "stop" } : needOfRunning(status, container);
  }
  if (ended) return local.files === "none" ? nothing : { kind: "dropFiles" };
  if (unwanted) return becomeShutdown("shutdown");
  // The leader created the task for this node, but has not assigned it or its addresses yet.
  if (compareStates(status.State, "assigned") < 0) return nothing;
  if (container?.phase !== "exited" && compareStates(status.State, "running") < 0) {
    // The successor asks again what its service waits for.
    const message = "the host started again before the task did";
    if (isHeld(local, task)) return now.caughtUp ? becomeShutdown(message) : nothing;
  }
  if (compareStates(status.State, "accepted") < 0) {
    return { kind: "become", state: "accepted", message: "accepted" };
  }
  if (container?.phase === "exited") return needOfExited(local, task, { container, now, pod });
  const begun = compareStates(status.State, "starting") >= 0;
  if (container === undefined || container.phase === "unfinished") {
    if (begun) {
      const err = `No such container: ${status.ContainerStatus?.ContainerID ?? task.ID}`;
      return { kind: "become", state: "failed", message: status.Message ?? "", err };
    }
    return now.caughtUp ? { kind: "prepare" } : nothing;
  }
  if (begun) return mayStart(local, pod) ? { kind: "start" } : nothing;
  if (status.State !== "ready") return { kind: "become", state: "ready", message: "prepared" };
  if (!mayStart(local, pod)) return nothing;
  return now.caughtUp && task.DesiredState !== "ready" ? { kind: "start" } : nothing;
}

function needOfStray({ container, files }: LocalTask, now: Circumstances): NextStep {
  if (container === undefined) return { kind: files === "none" ? "forget" : "dropFiles" };
  if (!now.caughtUp) return nothing;
  return { kind: container.phase === "running" ? "stop" : "remove" };
}

/**
 * A task that leaves is stopped when it gets no new connections and those that it has have ended. All of its pod waits
 * for that, and then stops in its order.
 */
function needOfUnwanted(
  local: LocalTask,
  task: Task,
  { now, pod }: { readonly now: Circumstances; readonly pod: PodFacts },
): NextStep {
  const { main } = pod;
  if (main !== undefined && main !== "gone" && isForsaken(pod) && sharesNetwork(local)) {
    const isDrained =
      main.container?.phase !== "running" || needOfLeaving(main, now).kind === "stop";
    return isDrained && !outlasts(local, pod) ? { kind: "stop" } : nothing;
  }
  const step: NextStep = isLeaving(task) ? needOfLeaving(local, now) : { kind: "stop" };
  return step.kind === "stop" && hasEarlierPart(pod) ? nothing : step;
}

/** Waits before the stop: other nodes may send connections to the task until they know that it leaves. */
function needOfLeaving(local: DrainingTask, now: Circumstances): NextStep {
  const { task, unwantedTick, unwantedIndex } = local;
  if (task === undefined || !isLeaving(task)) return { kind: "stop" };
  const isSteered = now.steeredIndex >= unwantedIndex;
  const untilTick = unwantedTick + (isSteered ? now.drainTicks : now.drainTicksMax);
  return untilTick <= now.nowTick ? needOfDraining(local, now) : { kind: "wait", untilTick };
}

/** The task gets no new connections. Waits until those that it has have ended, or its time is over. */
function needOfDraining(local: DrainingTask, now: Circumstances): NextStep {
  const { counted, unwantedTick, status } = local;
  const drainMs = now.drainsMs.get(local.id) ?? 0;
  const leftTicks = unwantedTick + Math.ceil(drainMs / now.tickMs) - now.nowTick;
  if (leftTicks <= 0) return { kind: "stop" };
  if (counted === undefined) return { kind: "count" };
  const { connections, atTick } = counted;
  const quarter = Math.floor((atTick - unwantedTick) / 4);
  const againTick = atTick + Math.min(now.countTicksMax, Math.max(now.countTicksMin, quarter));
  if (againTick <= now.nowTick) return { kind: "count" };
  if (connections === 0) return { kind: "stop" };
  // One report for each task, because each is a write. Most drains end before it is due.
  const isLong = now.nowTick >= unwantedTick + now.dawdleTicks;
  if (isLong && status?.Message !== draining) {
    const seconds = Math.ceil((leftTicks * now.tickMs) / 1000);
    const what = connections === 1 ? "1 open connection" : `${connections} open connections`;
    const err = `waits for ${what} to end, ${seconds} s at most`;
    return { kind: "become", state: "running", message: draining, err };
  }
  return { kind: "wait", untilTick: Math.min(againTick, now.nowTick + leftTicks) };
}

/** A part in the network of a container can start only while that runs. */
function mayStart(local: LocalTask, pod: PodFacts): boolean {
  return !sharesNetwork(local) || runningMain(pod) !== undefined;
}

function needOfRunning(status: TaskStatus, container: ContainerState): NextStep {
  if (container.health === "unhealthy") return { kind: "stop" };
  if (container.health === "starting" && compareStates(status.State, "running") < 0) {
    return become(status, container, "starting", "starting");
  }
  return become(status, container, "running", "started");
}

function become(
  status: TaskStatus,
  container: ContainerState,
  state: TaskState,
  message: string,
): NextStep {
  const known = status.ContainerStatus;
  const same =
    status.State === state &&
    known?.ContainerID === container.id &&
    known.PID === container.pid &&
    (status.PortStatus?.Ports?.length ?? 0) === container.ports.length;
  return same ? nothing : { kind: "become", state, message };
}

function becomeShutdown(message: string): NextStep {
  return { kind: "become", state: "shutdown", message };
}

/** The container ended by itself, or because it was unhealthy. */
function needOfExited(
  local: LocalTask,
  task: Task,
  {
    container,
    now,
    pod,
  }: {
    readonly container: ContainerState;
    readonly now: Circumstances;
    readonly pod: PodFacts;
  },
): NextStep {
  if (now.led) {
    const isLeft = sharesNetwork(local) && createdMain(pod) === undefined;
    return isLeft
      ? becomeShutdown("the main container of its pod has ended")
      : endOf(container, task);
  }
  if (!now.leaderless || isHeld(local, task) || !mayStart(local, pod)) return nothing;
  const delayTicks = restartTicksOf(task, container.exitCode, local.restartTicks, now);
  if (delayTicks === undefined) return nothing;
  const untilTick = (local.endedTick ?? now.nowTick) + delayTicks;
  return untilTick <= now.nowTick ? { kind: "start" } : { kind: "wait", untilTick };
}

/** Whether only the leader may start the task: it waits for other services, and may have missed their end. */
function isHeld({ isOld }: LocalTask, { Gam }: Task): boolean {
  return isOld && dependenciesOf(Gam.serviceLabels).length > 0;
}

function endOf(container: ContainerState, task: Task): NextStep {
  if (container.exitCode === 0 && container.health !== "unhealthy") {
    return { kind: "become", state: "complete", message: "finished" };
  }
  const err = endReason(container, task);
  return { kind: "become", state: "failed", message: "started", err };
}
