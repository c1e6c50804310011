import type { NodeId, TaskId } from "@gam/core";
import type { Crashes, NewTask, PlannedChange, TaskFailures } from "@gam/state";
import type { Situation } from "./situation.ts";

/** What distinguishes one task of a service from another. */
export interface NewTaskOptions {
  readonly slot?: number | undefined;
  readonly node?: NodeId | undefined;
  /** The task that must stop before this one may run. */
  readonly after?: TaskId | "";
  /** When it may run, by the leader's clock; 0: at once. */
  readonly startAfterMs?: number;
  /** It replaces a task that ended by itself. */
  readonly restart?: boolean;
  /** The running task that it takes over from. */
  readonly moves?: TaskId | undefined;
  /** The task of its pod's main service. */
  readonly pod?: TaskId | undefined;
  /** Where the tasks before it in its place failed. */
  readonly failedOn?: readonly TaskFailures[];
  /** The ends in a row in its place. */
  readonly crashes?: Crashes | undefined;
}

/** Creates a task by the service's present spec. If it has no node, the scheduler assigns one. */
export function createTask(situation: Situation, wish: NewTaskOptions): PlannedChange {
  const { service, nowMs, mint } = situation;
  const {
    slot,
    node,
    after = "",
    startAfterMs = 0,
    restart = false,
    failedOn = [],
    crashes,
    moves,
    pod,
  } = wish;
  const task: NewTask = {
    ID: mint.id() as TaskId,
    Labels: {},
    Spec: situation.template,
    ServiceID: service.ID as NewTask["ServiceID"],
    ...(slot !== undefined && { Slot: slot }),
    ...(node !== undefined && { NodeID: node }),
    ...(situation.isJob && { JobIteration: iterationOf(situation) }),
    Status: {
      Timestamp: new Date(nowMs).toISOString(),
      State: "pending",
      Message: "pending task scheduling",
    },
    DesiredState:
      after !== "" || startAfterMs > nowMs || situation.holdsBack ? "ready" : situation.goal,
    Gam: {
      templateVersion: service.Gam.templateVersion,
      endpoint: service.Spec.EndpointSpec ?? {},
      serviceName: service.Spec.Name,
      serviceLabels: service.Spec.Labels ?? {},
      credentials: service.Gam.registryAuth !== undefined,
      startAfterMs,
      after,
      restart,
      ...(moves !== undefined && { moves }),
      ...(pod !== undefined && { pod }),
      ...(failedOn.length > 0 && { failedOn }),
      ...(crashes && { crashes }),
      contents: situation.contents,
      attachments: [],
    },
  };
  return { kind: "createTask", task };
}

/** The API omits a zero. */
function iterationOf({ iteration }: Situation): NonNullable<NewTask["JobIteration"]> {
  return iteration === 0 ? {} : { Index: iteration };
}
