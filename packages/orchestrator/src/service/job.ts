/**
 * Job: which tasks one run of a job still has to run.
 *
 * A replicated job has places numbered from 0; each has to complete once, and only a few run at a time. A
 * global job has one place on each node that suits it. A place whose task failed and may not be restarted is not
 * tried again. Does not decide what happens inside a place (task-slot.ts), nor which run it is: a job runs anew when
 * its template changes, a job with a schedule when it is due (cron.ts).
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

export interface RunPlan extends JobPlan {
  /** Whether nothing is left to do: every place is done, or has failed for good. */
  readonly end?: "complete" | "failed";
}

/**
 * Plans the newest run, and stops the tasks of earlier ones. Those that have ended stay as history.
 * Shape: `tasks` are the service's tasks whose removal is not planned.
 */
export function planJob(situation: Situation, tasks: readonly Task[]): JobPlan {
  const { iteration } = situation;
  const own = tasks.filter((task) => runOf(task) === iteration);
  const { steps, waiting } = planRun(situation, own);
  return { steps: [...dismissed(situation, tasks, (run) => run !== iteration), ...steps], waiting };
}

/** Returns: steps that end what still runs of the chosen runs. */
export function dismissed(
  { view }: Situation,
  tasks: readonly Task[],
  ends: (run: number) => boolean,
): readonly (readonly PlannedChange[])[] {
  return tasks
    .filter((task) => ends(runOf(task)) && !isTerminal(task.Status.State))
    .map((task) => [dismiss(view, task)]);
}

/** Shape: `own` are the tasks of this run. */
export function planRun(situation: Situation, own: readonly Task[]): RunPlan {
  const { service } = situation;
  const job = service.Spec.Mode.ReplicatedJob;
  const global = job === undefined ? planGlobal(situation, own) : undefined;
  const [done = [], open = []] = [true, false].map((wanted) =>
    (global?.kept ?? placesOf(own)).filter((taskSlot) => isDone(taskSlot) === wanted),
  );
  const plans = open.map((taskSlot) => planTaskSlot(situation, taskSlot));
  const steps = [
    ...(global?.steps ?? []),
    ...done.map(endTheRest),
    ...plans.map(({ changes }) => changes),
  ];
  const active = plans.filter(
    ({ current, outdated, changes }) =>
      current !== undefined ||
      outdated !== undefined ||
      changes.some(({ kind }) => kind === "createTask"),
  );
  let isOpen = active.length > 0 || (global?.steps.length ?? 0) > 0;
  let missing = open.length;
  if (job !== undefined) {
    const concurrentMax = job.MaxConcurrent ?? 1;
    const taken = new Set(own.map(({ Slot }) => Slot));
    const total = job.TotalCompletions ?? concurrentMax;
    const places = Math.min(concurrentMax - active.length, total - taken.size);
    for (let slot = 0, made = 0; made < places; slot += 1) {
      if (taken.has(slot)) continue;
      steps.push([createTask(situation, { slot })]);
      made += 1;
    }
    isOpen ||= places > 0;
    missing = total - done.length;
  }
  const waiting = plans.some((one) => one.waiting);
  if (isOpen) return { steps, waiting };
  return { steps, waiting, end: missing > 0 || done.length === 0 ? "failed" : "complete" };
}

function placesOf(own: readonly Task[]): TaskSlot[] {
  return [...Map.groupBy(own, ({ Slot = 0 }) => Slot)]
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
