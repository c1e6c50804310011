import {
  compareStates,
  isInit,
  isTerminal,
  isWanted,
  predefinedNetworks,
  replicasWanted,
  type Service,
  type Task,
  type View,
  withDefaults,
} from "@gam/state";
import type { Naming } from "../request/reference.ts";

export const serviceNaming: Naming<Service> = {
  kind: "service",
  id: (service) => service.ID,
  names: (service) => [service.Spec.Name],
};

export interface ServiceAnswerOptions {
  /** Whether to fill in defaults for fields that the client did not set. */
  readonly defaults: boolean;
  /** The state to count tasks in; absent: no counts. */
  readonly counted?: View;
}

/** The Engine API's service, without what gam keeps beside it. */
export function serviceAnswer(service: Service, options: ServiceAnswerOptions): object {
  const { Gam: _, Spec, PreviousSpec, JobStatus, Endpoint, ...seen } = service;
  const isEmpty =
    Endpoint.VirtualIPs === undefined && Endpoint.Ports === undefined && !usesPredefined(Spec);
  return {
    ...seen,
    // As in Swarm, an endpoint without addresses and ports says nothing.
    Endpoint: isEmpty ? { Spec: {} } : Endpoint,
    Spec: options.defaults ? withDefaults(Spec) : Spec,
    ...(PreviousSpec && { PreviousSpec }),
    ...(options.counted && { ServiceStatus: serviceStatus(service, options.counted) }),
    ...(JobStatus && { JobStatus }),
  };
}

/** Whether its tasks are in a network of the engine, such as `host`. */
function usesPredefined({ TaskTemplate, Networks }: Service["Spec"]): boolean {
  const targets = (TaskTemplate.Networks ?? Networks ?? []).map(({ Target }) => Target);
  return predefinedNetworks.some(({ Id }) => targets.includes(Id));
}

/** Counts the running tasks, the desired tasks and a job's completed tasks. */
function serviceStatus(
  service: Service,
  view: View,
): { RunningTasks: number; DesiredTasks: number; CompletedTasks: number } {
  const tasks = view.tasksOf(service.ID);
  const { Mode } = service.Spec;
  const wanted = tasks.filter((task) => compareStates(task.DesiredState, "running") <= 0);
  const RunningTasks = tasks.filter((task) => runs(task, view)).length;
  if (isInit(service.Spec.Labels)) {
    // Those that have completed are done, and show no lack.
    const open = tasks.filter(({ Status, ...task }) => isWanted(task) && !isTerminal(Status.State));
    return { RunningTasks, DesiredTasks: open.length, CompletedTasks: 0 };
  }
  if (Mode.Replicated !== undefined) {
    return { RunningTasks, DesiredTasks: replicasWanted(view, service), CompletedTasks: 0 };
  }
  if (Mode.Global !== undefined) {
    const places = new Set(wanted.map((task) => task.NodeID));
    return { RunningTasks, DesiredTasks: places.size, CompletedTasks: 0 };
  }
  const iteration = service.JobStatus?.JobIteration.Index ?? 0;
  const current = tasks.filter((task) => (task.JobIteration?.Index ?? 0) === iteration);
  const CompletedTasks = current.filter((task) => task.Status.State === "complete").length;
  const DesiredTasks =
    Mode.ReplicatedJob?.MaxConcurrent ??
    current.filter((task) => compareStates(task.Status.State, "complete") < 0).length;
  return { RunningTasks, DesiredTasks, CompletedTasks };
}

/** The last report of a node that is down does not prove that its tasks still run. */
function runs(task: Task, view: View): boolean {
  if (task.Status.State !== "running") return false;
  if (task.NodeID === undefined || !isWanted(task)) return false;
  return view.node(task.NodeID)?.Status.State !== "down";
}
