/**
 * Not up: which services do not come up, and why.
 *
 * A place of a service does not come up if its task has failed and waits or tries again, if no node can take its
 * task, or if its task has ended and gets no successor. A place whose first task is on its way is not counted, and
 * neither are the places of a job that have completed.
 */
import type { ServiceId } from "@gam/core";
import { isInit } from "../labels/pod-labels.ts";
import type { View } from "../log/view.ts";
import type { Service } from "../objects/service.ts";
import { compareStates, isTerminal, isWanted, slotName, type Task } from "../objects/task.ts";

export interface NotUp {
  readonly id: ServiceId;
  readonly name: string;
  /** How many of its places do not come up. */
  readonly places: number;
  /** Why the last of them does not. */
  readonly reason: string;
  /** Ends in a row in that place; 0 if none has ended. */
  readonly failures: number;
  /** When its task may start again, by the leader's clock; 0 for no such time. */
  readonly restartsAtMs: number;
}

/** Returns: the services that do not come up, in the order of creation. */
export function notUp(view: View): readonly NotUp[] {
  return view.services().flatMap((service) => notUpOf(view, service) ?? []);
}

function notUpOf(view: View, service: Service): NotUp | undefined {
  const run = service.JobStatus?.JobIteration.Index ?? 0;
  const places = Map.groupBy(
    view.tasksOf(service.ID).filter(({ JobIteration }) => (JobIteration?.Index ?? 0) === run),
    slotName,
  );
  const faults = [...places.values()].flatMap((tasks) => faultOf(service, tasks) ?? []);
  const [last] = faults.toSorted((a, b) => b.atMs - a.atMs);
  if (last === undefined) return undefined;
  const { reason, failures, restartsAtMs } = last;
  const { ID: id, Spec } = service;
  return { id, name: Spec.Name, places: faults.length, reason, failures, restartsAtMs };
}

interface Fault extends Pick<NotUp, "reason" | "failures" | "restartsAtMs"> {
  /** Since when. */
  readonly atMs: number;
}

/** Shape: `tasks` are those of one place, in order of creation. */
function faultOf(service: Service, tasks: readonly Task[]): Fault | undefined {
  const newest = tasks.findLast(({ DesiredState }) => DesiredState !== "remove");
  if (newest === undefined || tasks.some(fills) || hasPrepared(newest)) return undefined;
  const { Status, Gam } = newest;
  const atMs = Date.parse(Status.Timestamp);
  const failures = Gam.crashes?.count ?? 0;
  if (isTerminal(Status.State)) {
    // A task that was stopped, or that ran to its end, is no fault. Neither is one that waits for its successor.
    if (!["failed", "rejected", "complete"].includes(Status.State)) return undefined;
    if (newest.Gam.templateVersion !== service.Gam.templateVersion) return undefined;
    const { Condition = "any" } = service.Spec.TaskTemplate.RestartPolicy ?? {};
    if (Status.State === "complete" && Condition !== "any") return undefined;
    const reason = Status.Err || "the task has ended";
    return { reason, failures: failures + 1, restartsAtMs: 0, atMs };
  }
  if (!isWanted(newest)) return undefined;
  if (compareStates(Status.State, "assigned") < 0 && Status.Err) {
    return { reason: Status.Err, failures, restartsAtMs: 0, atMs };
  }
  if (Gam.crashes === undefined) return undefined;
  const restartsAtMs = newest.DesiredState === "ready" ? Gam.startAfterMs : 0;
  return { reason: Gam.crashes.reason, failures, restartsAtMs, atMs };
}

/** Whether it is an init container that has done its work. A later one begins anew. */
function hasPrepared({ Status, Gam }: Task): boolean {
  return Status.State === "complete" && isInit(Gam.serviceLabels);
}

/** Whether the place needs nothing: its task runs, or has completed as a job's. */
function fills({ Status, DesiredState, JobIteration }: Task): boolean {
  if (Status.State === "running") return DesiredState === "running" || DesiredState === "complete";
  return JobIteration !== undefined && Status.State === "complete";
}
