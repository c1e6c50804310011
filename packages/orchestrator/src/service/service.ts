/**
 * Service: the plan for one service, as a list of steps.
 *
 * A step is planned whole or left for the next plan. Otherwise a place could lose its old task without
 * getting its new one.
 */
import {
  mainName,
  openRollout,
  type PlannedChange,
  type Service,
  type Task,
  type View,
} from "@gam/state";
import { planCron } from "./cron.ts";
import { planGlobal } from "./global.ts";
import { planJob } from "./job.ts";
import { planParts } from "./pod.ts";
import { reapTasks } from "./reap.ts";
import { planReplicated, type SlotsPlan } from "./replicated.ts";
import { planRollout } from "./rollout.ts";
import { Situation, type SituationParts } from "./situation.ts";
import { planTaskSlot } from "./task-slot.ts";
import { planUpdate } from "./update.ts";

export interface ServicePlan {
  readonly steps: readonly (readonly PlannedChange[])[];
  /** Something waits for a time, so the service needs another plan without an event. */
  readonly waiting: boolean;
  /** When a schedule needs another plan without an event. Absent for never. */
  readonly againAtMs?: number | undefined;
}

export function planService(view: View, service: Service, parts: SituationParts): ServicePlan {
  const situation = new Situation(view, service, parts);
  const tasks = view.tasksOf(service.ID).filter((task) => task.DesiredState !== "remove");
  const plan = planOf(situation, tasks);
  const { steps: filled, waiting, againAtMs } = plan;
  const reaped = reapTasks(situation, view.tasksOf(service.ID), filled.flat());
  const steps = [...filled, ...reaped.map((change) => [change])].filter(({ length }) => length > 0);
  return { steps, waiting, againAtMs };
}

function planOf(situation: Situation, tasks: readonly Task[]): ServicePlan {
  if (situation.service.Gam.cron !== undefined) return planCron(situation, tasks);
  if (situation.isJob) return planJob(situation, tasks);
  const rollout = openRollout(situation.service);
  return (rollout && planRollout(situation, rollout)) ?? planReplicas(situation, tasks);
}

/** For a service that is no job. */
function planReplicas(situation: Situation, tasks: readonly Task[]): ServicePlan {
  const plan = slotsOf(situation, tasks);
  const places = plan.kept.map((taskSlot) => planTaskSlot(situation, taskSlot));
  const update = planUpdate(situation, places);
  return {
    steps: [...plan.steps, ...places.map(({ changes }) => changes), update.changes],
    waiting: update.waiting || places.some(({ waiting }) => waiting),
  };
}

function slotsOf(situation: Situation, tasks: readonly Task[]): SlotsPlan {
  const { Labels, Mode } = situation.service.Spec;
  if (mainName(Labels) !== undefined) return planParts(situation, tasks);
  return Mode.Global === undefined ? planReplicated(situation) : planGlobal(situation, tasks);
}
