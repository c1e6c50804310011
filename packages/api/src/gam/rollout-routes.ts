/** Rollout routes: how far a rollout is, and what a person makes of it. */
import { check } from "@gam/core";
import {
  isWanted,
  openRollout,
  type Rollout,
  type RolloutWish,
  replicasOf,
  rolloutActions,
  rolloutOf,
  rolloutTasks,
  type Service,
  type Task,
  type View,
} from "@gam/state";
import type { ServiceRollout, ShownRollout } from "@gam/state/answers";
import type { FastifyInstance } from "fastify";
import { serviceNaming } from "../answers/service-answer.ts";
import { requireManager } from "../engine/worker-calls.ts";
import { ApiError } from "../request/api-error.ts";
import { readOwnBody } from "../request/own-body.ts";
import { resolve } from "../request/reference.ts";
import { writeChange } from "../routes/first-try.ts";
import { freshView, type RouteContext, requireActive } from "../routes/route-context.ts";

interface Ref {
  readonly Params: { readonly ref: string };
}

const steerFields = { action: check.literal(...rolloutActions) };

export function rolloutRoutes(app: FastifyInstance, context: RouteContext): void {
  const { door } = context;

  app.get<Ref>("/gam/v1/services/:ref/rollout", async (request): Promise<ServiceRollout> => {
    requireActive(door);
    const view = await freshView(context);
    const service = resolve(request.params.ref, view.services(), serviceNaming);
    const { State, Message } = service.UpdateStatus ?? {};
    return {
      id: service.ID,
      name: service.Spec.Name,
      status: State === undefined ? "" : `${State}: ${Message}`,
      rollout: service.Gam.rollout ? shown(view, service, service.Gam.rollout) : null,
    };
  });

  /** `{"action":"promote"}`. */
  app.post<Ref>("/gam/v1/services/:ref/rollout", async (request) => {
    requireActive(door);
    requireManager(door);
    const { action } = await readOwnBody(request.body, steerFields);
    await writeChange(context, (view) => {
      const service = resolve(request.params.ref, view.services(), serviceNaming);
      const open = openRollout(service);
      if (open === undefined) {
        throw new ApiError(409, `Cannot ${action}: service ${service.Spec.Name} is in no rollout`);
      }
      return { kind: "steerRollout", id: service.ID, version: open.version, action };
    });
    return {};
  });
}

function shown(view: View, service: Service, rollout: Rollout): ShownRollout {
  const { strategy, weight, step, phase, sinceMs, paused, end, failed, version } = rollout;
  const { Spec, PreviousSpec } = service;
  const wish = rolloutOf(Spec);
  const serving = view.tasksOf(service.ID).filter(isServing);
  const fresh = serving.filter(({ Gam }) => Gam.templateVersion === version).length;
  const isBack = end?.result === "rolled back";
  // A rollback that the cluster made leaves no previous spec.
  const left = PreviousSpec ?? service.Gam.revisions?.at(-1)?.spec;
  const [old = Spec, now = Spec] = isBack ? [Spec, left] : [PreviousSpec, Spec];
  return {
    ...{ strategy, weight, step, phase, sinceMs, failed },
    steps: stepsOf(wish, replicasOf(Spec)),
    paused: paused?.by ?? null,
    end: end ?? null,
    failuresMax: wish?.failuresMax ?? 0,
    old: { image: old.TaskTemplate.ContainerSpec.Image, running: serving.length - fresh },
    fresh: { image: now.TaskTemplate.ContainerSpec.Image, running: fresh },
  };
}

function stepsOf(wish: RolloutWish | undefined, replicas: number): ShownRollout["steps"] {
  return (wish?.steps ?? []).map((step) => {
    return {
      weight: step.weight,
      waitMs: step.waitMs ?? null,
      tasks: rolloutTasks(step, replicas),
    };
  });
}

function isServing(task: Task): boolean {
  return task.Status.State === "running" && isWanted(task);
}
