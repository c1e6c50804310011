/**
 * Job: which tasks a job still has to run.
 *
 * A replicated job has places numbered from 0; each has to complete once, and only a few run at a time. A
 * global job has one place on each node that suits it. A change of the template starts a new run of the job
 * and stops the tasks of the run before; those that have ended stay as history. A place whose task failed and may not be restarted is not
 * tried again. Does not decide what happens inside a place (task-slot.ts).
 */
import { isTerminal, isWanted, type PlannedChange, type Task } from "@gam/state";
import { planGlobal } from "./global.ts";
import { createTask } from "./new-task.ts";
import { dismiss, retire } from "./reap.ts";
import { runOf, type Situation } from "./situation.ts";
import { planTaskSlot, type TaskSlot } from "./task-slot.ts";

export interface JobPlan {
  readonly steps: readonly (readonly PlannedChange[])[];
  readonly waiting: boolean;
}

/** Shape: `tasks` are the service's tasks whose removal is not planned. */
export function planJob(situation: Situation, tasks: readonly Task[]): JobPlan {
  const { service, view, iteration } = situation;
  const ofRun = Map.groupBy(tasks, (task) => runOf(task) === iteration);
  const own = ofRun.get(true) ?? [];
  const before = (ofRun.get(false) ?? [])
    .filter(({ Status }) => !isTerminal(Status.State))
    .map((task) => [dismiss(view, task)]);
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

/** Ends other tasks of a done place: a lost task may return and complete while its replacement still runs. */
function endTheRest({ tasks }: TaskSlot): PlannedChange[] {
  return tasks
    .filter((task) => isWanted(task) && !isTerminal(task.Status.State))
    .map((task) => retire(task));
}

function isDone({ tasks }: TaskSlot): boolean {
  return tasks.some(({ Status }) => Status.State === "complete");
}
