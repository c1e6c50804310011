/**
 * Job: which tasks a job still has to run.
 *
 * A replicated job has places numbered from 0, each of which has to complete once, a few at a time; a
 * global job has one on each node that suits it. A change of the template is a new run of the job: what
 * is left of the run before goes. A place whose task failed and may not be restarted is given up and
 * not tried again. What happens inside a place is task-slot.ts's to decide.
 */
import { isTerminal, isWanted, type PlannedChange, type Task } from "@gam/state";
import { planGlobal } from "./global.ts";
import { createTask } from "./new-task.ts";
import { dismiss, retire } from "./reap.ts";
import type { Situation } from "./situation.ts";
import { planTaskSlot, type TaskSlot } from "./task-slot.ts";

export interface JobPlan {
  readonly steps: readonly (readonly PlannedChange[])[];
  readonly waiting: boolean;
}

/** Shape: `tasks` are those of the service that are not to be removed. */
export function planJob(situation: Situation, tasks: readonly Task[]): JobPlan {
  const { service, view, iteration } = situation;
  const ofRun = Map.groupBy(tasks, (task) => (task.JobIteration?.Index ?? 0) === iteration);
  const own = ofRun.get(true) ?? [];
  const before = (ofRun.get(false) ?? []).map((task) => [dismiss(view, task)]);
  const job = service.Spec.Mode.ReplicatedJob;
  const global = job === undefined ? planGlobal(situation, own) : undefined;
  const [done = [], open = []] = [true, false].map((wanted) =>
    (global?.kept ?? placesOf(own)).filter((taskSlot) => isDone(taskSlot) === wanted),
  );
  const plans = open.map((taskSlot) => planTaskSlot(situation, taskSlot));
  const steps = [
    ...before,
    ...(global?.steps ?? []),
    ...done.map(endTheRest),
    ...plans.map(({ changes }) => changes),
  ];
  if (job !== undefined) {
    const active = plans.filter(
      ({ current, changes }) =>
        current !== undefined || changes.some(({ kind }) => kind === "createTask"),
    );
    const concurrentMax = job.MaxConcurrent ?? 1;
    const taken = new Set(own.map(({ Slot }) => Slot));
    const total = job.TotalCompletions ?? concurrentMax;
    const places = Math.min(concurrentMax - active.length, total - taken.size);
    for (let slot = 0, made = 0; made < places; slot += 1) {
      if (taken.has(slot)) continue;
      steps.push([createTask(situation, { slot })]);
      made += 1;
    }
  }
  return { steps, waiting: plans.some(({ waiting }) => waiting) };
}

function placesOf(tasks: readonly Task[]): TaskSlot[] {
  return [...Map.groupBy(tasks, ({ Slot = 0 }) => Slot)]
    .sort(([a], [b]) => a - b)
    .map(([slot, tasks]) => ({ key: String(slot), slot, tasks }));
}

/** Done twice is done too often: a lost task came back and completed before its replacement did. */
function endTheRest({ tasks }: TaskSlot): PlannedChange[] {
  return tasks
    .filter((task) => isWanted(task) && !isTerminal(task.Status.State))
    .map((task) => retire(task));
}

function isDone({ tasks }: TaskSlot): boolean {
  return tasks.some(({ Status }) => Status.State === "complete");
}
