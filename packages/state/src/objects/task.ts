/**
 * Task: the Engine API's task, the order of its states, and what gam adds to it.
 *
 * A task runs once: it is never restarted, but replaced in its slot.
 */
import type { NetworkId, NodeId, ServiceId, TaskId } from "@gam/core";
import type { ContentVersions } from "./content.ts";
import type { Labels, Meta } from "./meta.ts";
import type { GenericResource } from "./node.ts";
import type { EndpointSpec, PortConfig, TaskSpec } from "./service.ts";

/** In the order of a task's life. A task only moves forward. */
export const taskStates = [
  "new",
  "allocated",
  "pending",
  "assigned",
  "accepted",
  "preparing",
  "ready",
  "starting",
  "running",
  "complete",
  "shutdown",
  "failed",
  "rejected",
  "remove",
  "orphaned",
] as const;

export type TaskState = (typeof taskStates)[number];
/** States that the orchestrator may ask for. */
export type DesiredState = "ready" | "running" | "complete" | "shutdown" | "remove";

const rank = new Map<string, number>(taskStates.map((state, index) => [state, index]));

/** Less than 0 when `a` comes before `b` in a task's life. */
export function compareStates(a: TaskState, b: TaskState): number {
  return (rank.get(a) ?? 0) - (rank.get(b) ?? 0);
}

/** Whether the task has ended: it will never run again. */
export function isTerminal(state: TaskState): boolean {
  return compareStates(state, "running") > 0;
}

/** Whether the task should run, or (a job) run to its end. */
export function isWanted(task: { readonly DesiredState: DesiredState }): boolean {
  return compareStates(task.DesiredState, "complete") <= 0;
}

/** Whether the task is no longer wanted, while nodes may still send it connections. */
export function isLeaving(task: Task): boolean {
  return task.Status.State === "running" && !isWanted(task) && task.Gam.attachments.length > 0;
}

/** Whether the task is wanted and not assigned. Once assigned or given up, it never waits again. */
export function isWaiting(task: Task): boolean {
  return compareStates(task.Status.State, "assigned") < 0 && isWanted(task);
}

export interface ContainerStatus {
  readonly ContainerID?: string;
  readonly PID?: number;
  readonly ExitCode?: number;
}

/** Written by the worker of the task's node; before it has one, by the scheduler. */
export interface TaskStatus {
  /** RFC 3339. */
  readonly Timestamp: string;
  readonly State: TaskState;
  readonly Message?: string;
  readonly Err?: string;
  readonly ContainerStatus?: ContainerStatus;
  readonly PortStatus?: { readonly Ports?: readonly PortConfig[] };
}

/** What gam adds to the Engine API's task. Not shown to Docker clients. */
export interface TaskExtra {
  /** `templateVersion` of the service when the task was made. */
  readonly templateVersion: number;
  /** The service's endpoint spec when the task was made: its host-mode ports are bound for this task. */
  readonly endpoint: EndpointSpec;
  readonly serviceName: string;
  readonly serviceLabels: Labels;
  /** Whether a pull of its image takes the registry credentials of its service. */
  readonly credentials: boolean;
  /** Earliest time to move from ready to running, by the leader's clock; 0: at once. */
  readonly startAfterMs: number;
  /** The task that must have ended before this one may run; "" for none. */
  readonly after: TaskId | "";
  /** The task that it takes over from on another node: that one stops when this one runs. Absent for none. */
  readonly moves?: TaskId | undefined;
  /**
   * The task of its pod's main service: it runs on that task's node and, unless it is an init container, in that
   * task's network. Absent for a task that is no part of a pod.
   */
  readonly pod?: TaskId | undefined;
  /** Made to replace a task that ended by itself; false if that was updated, or lost with its node. */
  readonly restart: boolean;
  /** Where the tasks before it in its place failed, the latest last; absent for nowhere. See failed-on.ts. */
  readonly failedOn?: readonly TaskFailures[];
  /** The tasks before it in its place that ended in a row without a healthy run; absent for none. */
  readonly crashes?: Crashes;
  /** When it was first seen running, by its node's clock. Absent until then. */
  readonly startedAtMs?: number;
  /**
   * The version of each secret and config that its files hold, by id. Fixed when the task is made. It covers
   * everything that the spec names.
   */
  readonly contents: ContentVersions;
  /** Assigned by the leader before the task gets its node. Empty until then. */
  readonly attachments: readonly TaskAttachment[];
}

/** Ends in a row: see crash-loop.ts. */
export interface Crashes {
  readonly count: number;
  /** Why the last of them ended. */
  readonly reason: string;
}

/** How often, and when last, a place of a service failed on one node. */
export interface TaskFailures {
  readonly node: NodeId;
  /** One for each failure, more for a rejection. */
  readonly weight: number;
  /** Of the last failure. */
  readonly atMs: number;
}

/** The task's address in one network. */
export interface TaskAttachment {
  readonly network: NetworkId;
  /** IPv4 without prefix. */
  readonly address: string;
}

export interface Task extends Meta {
  readonly ID: TaskId;
  readonly Labels: Labels;
  readonly Spec: TaskSpec;
  readonly ServiceID: ServiceId;
  /** From 1 in replicated services. Absent in global ones. */
  readonly Slot?: number;
  readonly NodeID?: NodeId;
  readonly Status: TaskStatus;
  readonly DesiredState: DesiredState;
  readonly GenericResources?: readonly GenericResource[];
  readonly JobIteration?: { readonly Index?: number };
  readonly Gam: TaskExtra;
}

/** Returns: the name of a task's container. Most listings show it without the last part as the task's name. */
export function containerName(task: Task): string {
  return `${task.Gam.serviceName}.${slotName(task)}.${task.ID}`;
}

/** Returns: what distinguishes the places of a service: the slot's number, or the node of a global task. */
export function slotName(task: Pick<Task, "Slot" | "NodeID">): string {
  return task.Slot === undefined ? (task.NodeID ?? "") : String(task.Slot);
}
