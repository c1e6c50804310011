/**
 * Service: all that has to happen for one service, in steps that each hold together.
 *
 * A step is applied whole or left for the next plan, so that a place never loses its old task without
 * getting its new one.
 */
import type { PlannedChange, Service, Task, View } from "@gam/state";
import { planGlobal } from "./global.ts";
import { planJob } from "./job.ts";
import { reapTasks } from "./reap.ts";
import { planReplicated } from "./replicated.ts";
import { Situation, type SituationParts } from "./situation.ts";
import { planTaskSlot } from "./task-slot.ts";
import { planUpdate } from "./update.ts";

export interface ServicePlan {
  readonly steps: readonly (readonly PlannedChange[])[];
  /** Something here waits for a time to come, so it has to be looked at again without an event. */
  readonly waiting: boolean;
}

export function planService(view: View, service: Service, parts: SituationParts): ServicePlan {
  const situation = new Situation(view, service, parts);
  const tasks = view.tasksOf(service.ID).filter((task) => task.DesiredState !== "remove");
  const { steps: filled, waiting } = situation.isJob
    ? planJob(situation, tasks)
    : planReplicas(situation, tasks);
  const reaped = reapTasks(situation, view.tasksOf(service.ID), filled.flat());
  const steps = [...filled, ...reaped.map((change) => [change])].filter(({ length }) => length > 0);
  return { steps, waiting };
}

/** A service that goes on for ever. */
function planReplicas(situation: Situation, tasks: readonly Task[]): ServicePlan {
  const isGlobal = situation.service.Spec.Mode.Global !== undefined;
  const plan = isGlobal ? planGlobal(situation, tasks) : planReplicated(situation);
  const places = plan.kept.map((taskSlot) => planTaskSlot(situation, taskSlot));
  const update = planUpdate(situation, places);
  return {
    steps: [...plan.steps, ...places.map(({ changes }) => changes), update.changes],
    waiting: update.waiting || places.some(({ waiting }) => waiting),
  };
}
