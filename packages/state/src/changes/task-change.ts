/**
 * Task change: the effect of each change on a task. A change of a task is never refused: it is void instead.
 */
import { unreachable } from "@gam/core";
import { contentHolder } from "../derived/content-need.ts";
import type { ChangeOf } from "../log/change.ts";
import { born, moved, type Occasion } from "../log/occasion.ts";
import type { Event, View } from "../log/view.ts";
import type { ContentId, ContentVersions } from "../objects/content.ts";
import {
  compareStates,
  isTerminal,
  isWanted,
  type Task,
  type TaskStatus,
} from "../objects/task.ts";
import { boundByTask, volumesAllow } from "./volumes/volume-change.ts";

/** As TableRule.after. */
export function taskAfter(
  task: Task | undefined,
  change: ChangeOf<"task">,
  on: Occasion,
): Task | undefined {
  if (change.kind === "createTask") {
    // The service may have been removed since the leader planned this.
    if (task !== undefined || on.view.service(change.task.ServiceID) === undefined) return task;
    if (!areThere(on.view, change.task.Gam.contents)) return task;
    return { ...change.task, ...born(on) };
  }
  if (task === undefined) return undefined;
  const next = { ...task, ...moved(on) };
  switch (change.kind) {
    case "assignTask": {
      const { node, status, generic } = change;
      if ((task.NodeID ?? node) !== node || on.view.node(node) === undefined) return task;
      if (compareStates(task.Status.State, "assigned") >= 0 || !isWanted(task)) return task;
      if (!volumesAllow(task, node, on.view)) return task;
      return {
        ...next,
        NodeID: node,
        Status: status,
        ...(generic !== undefined && { GenericResources: generic }),
      };
    }
    case "attachTask": {
      // A global task has its node from the start, but waits until it is assigned to it.
      const isAssigned = compareStates(task.Status.State, "assigned") >= 0;
      if (isAssigned && (change.attachments.length > 0 || !isForsaken(task, on.view))) return task;
      return { ...next, Gam: { ...task.Gam, attachments: change.attachments } };
    }
    case "explainTask":
      if (compareStates(task.Status.State, "pending") > 0) return task;
      return { ...next, Status: change.status };
    case "desireTask":
      if (compareStates(change.desired, task.DesiredState) <= 0) return task;
      return { ...next, DesiredState: change.desired };
    case "reportTask":
    case "orphanTask": {
      const Status = mergeStatus(task.Status, change.status);
      if (Status === task.Status) return task;
      const starts = Status.State === "running" && task.Status.State !== "running";
      const startedAtMs = Date.parse(Status.Timestamp) || on.atMs;
      const Gam = starts ? { ...task.Gam, startedAtMs } : task.Gam;
      return { ...next, Status, Gam };
    }
    case "removeTask":
      return undefined;
    default:
      unreachable(change);
  }
}

/** As TableRule.others: the volumes that the task uses on its node from now on. */
export function boundByChange(
  task: Task | undefined,
  change: ChangeOf<"task">,
  on: Occasion,
): readonly Event[] {
  if (change.kind !== "assignTask" || task === undefined) return [];
  return taskAfter(task, change, on) === task ? [] : boundByTask(task, change.node, on);
}

/** Whether the state has all these contents. */
function areThere(view: View, contents: ContentVersions): boolean {
  return Object.entries(contents).every(([id, version]) => {
    const holder = contentHolder(view, id as ContentId);
    return holder?.Gam.contents.some((one) => one.version === version) === true;
  });
}

/** The task is not wanted, and there is no live node that could still report about it. */
function isForsaken(task: Task, view: View): boolean {
  const node = task.NodeID === undefined ? undefined : view.node(task.NodeID);
  return !isWanted(task) && (node === undefined || node.Status.State === "down");
}

/** Returns: the later of two observations of one task; the old one itself when the new one adds nothing. */
export function mergeStatus(old: TaskStatus, next: TaskStatus): TaskStatus {
  if (isTerminal(old.State) && old.State !== next.State) {
    // A terminal state is final. Exception: the node of a lost task came back and reported how it really ended.
    return old.State === "orphaned" && isTerminal(next.State) ? next : old;
  }
  if (compareStates(next.State, old.State) < 0) return old;
  if (next.State === old.State && next.Message === old.Message && next.Err === old.Err) {
    const same =
      JSON.stringify([next.ContainerStatus, next.PortStatus]) ===
      JSON.stringify([old.ContainerStatus, old.PortStatus]);
    if (same) return old;
  }
  return next;
}
