import type { NodeId, TaskId } from "@gam/core";
import type { NewTask, PlannedChange } from "@gam/state";
import type { Situation } from "./situation.ts";

/** What tells a task of a service from the others. */
export interface NewTaskOptions {
  readonly slot?: number | undefined;
  readonly node?: NodeId | undefined;
  /** It runs not before this has ended. */
  readonly after?: TaskId | "";
  /** It runs not before this, by the leader's clock; 0: at once. */
  readonly startAfterMs?: number;
  /** It replaces one that ended by itself. */
  readonly restart?: boolean;
}

/** A task of the service as it is now, which the scheduler gives a node if it has none. */
export function createTask(situation: Situation, wish: NewTaskOptions): PlannedChange {
  const { service, nowMs, mint } = situation;
  const { slot, node, after = "", startAfterMs = 0, restart = false } = wish;
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
    DesiredState: after !== "" || startAfterMs > nowMs ? "ready" : situation.goal,
    Gam: {
      templateVersion: service.Gam.templateVersion,
      endpoint: service.Spec.EndpointSpec ?? {},
      serviceName: service.Spec.Name,
      serviceLabels: service.Spec.Labels ?? {},
      registryAuth: service.Gam.registryAuth,
      startAfterMs,
      after,
      restart,
      attachments: [],
    },
  };
  return { kind: "createTask", task };
}

/** The API leaves a zero away. */
function iterationOf({ iteration }: Situation): NonNullable<NewTask["JobIteration"]> {
  return iteration === 0 ? {} : { Index: iteration };
}
