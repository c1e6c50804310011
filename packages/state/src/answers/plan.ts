/** Plan: the answer of `GET /gam/v1/plans/ID`: what would follow from the calls that were rehearsed. */
import { type Check, check } from "@gam/core";

/** One field of an object. Values are JSON; "" where the field is absent. */
export interface PlanField {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

type PlanAction = "create" | "update" | "remove" | "none";

export interface PlanObject {
  readonly kind: "network" | "secret" | "config" | "service";
  readonly name: string;
  readonly action: PlanAction;
  readonly fields: readonly PlanField[];
}

/** A task that would be started or stopped. */
export interface PlanTask {
  /** "web.1" and the like. */
  readonly name: string;
  /** Hostname; "" without a node. */
  readonly node: string;
}

/** What happens to the tasks of one service. */
export interface PlanTasks {
  readonly service: string;
  /** Tasks that stay as they are. */
  readonly kept: number;
  readonly stopped: readonly PlanTask[];
  readonly started: readonly PlanTask[];
  /** Tasks that get no node, and why. */
  readonly waiting: readonly (PlanTask & { readonly why: string })[];
  /** How the update ends: "update completed"; "" where there is none. */
  readonly update: string;
}

export interface PlanReport {
  readonly objects: readonly PlanObject[];
  readonly tasks: readonly PlanTasks[];
  /** False: it takes longer than can be rehearsed, so `tasks` shows a state in between. */
  readonly isComplete: boolean;
}

const listMax = 200_000;
const text = check.string(1 << 20);
const task = { name: text, node: text };
export const checkFields: Check<PlanField[]> = check.list(
  check.object({ path: text, before: text, after: text }),
  listMax,
);

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkPlanReport: Check<PlanReport> = check.object({
  objects: check.list(
    check.object({
      kind: check.literal("network", "secret", "config", "service"),
      name: text,
      action: check.literal("create", "update", "remove", "none"),
      fields: checkFields,
    }),
    listMax,
  ),
  tasks: check.list(
    check.object({
      service: text,
      kept: check.integer(),
      stopped: check.list(check.object(task), listMax),
      started: check.list(check.object(task), listMax),
      waiting: check.list(check.object({ ...task, why: text }), listMax),
      update: text,
    }),
    listMax,
  ),
  isComplete: check.boolean,
});
