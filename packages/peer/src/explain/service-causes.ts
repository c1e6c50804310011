/** Service causes: why a service does not run as it is wanted, as sentences. */
import type { NodeVerdict } from "@gam/scheduler";
import {
  isInit,
  isJob,
  isSuspended,
  isTerminal,
  isWanted,
  mainName,
  restartPolicyOf,
  type Service,
  slotName,
  type Task,
  type View,
  whyNoPod,
} from "@gam/state";
import { taskCauses, taskName, whyNowhere } from "./task-causes.ts";

export interface ServiceFacts {
  readonly nowMs: number;
  /** Tasks that do not run as wanted. */
  readonly tasks: readonly Task[];
  readonly verdictsOf: (task: Task) => readonly NodeVerdict[];
  /** How nodes look to a new task. */
  readonly modelVerdicts: readonly NodeVerdict[];
}

/** Sentences in one answer. */
const causesMax = 20;
/** Judging all nodes takes long, and tasks of one service mostly wait for the same reason. */
const judgedMax = 10;

/** Returns: at least one sentence. */
export function serviceCauses(view: View, service: Service, facts: ServiceFacts): string[] {
  const causes = [
    ...updateCauses(service),
    ...modeCauses(view, service, facts),
    ...placeCauses(view, service, facts),
  ];
  if (causes.length > 0) return [...new Set(causes)].slice(0, causesMax);
  const running = view.tasksOf(service.ID).filter(runs).length;
  if (isJob(service.Spec)) return jobCauses(service, running);
  return [`All is as wanted: ${running} ${running === 1 ? "task runs" : "tasks run"}`];
}

/** A job of which no task is in trouble. */
function jobCauses({ Spec, Gam, JobStatus }: Service, running: number): string[] {
  const { cron } = Gam;
  const run = cron?.runs.at(-1);
  const missed = cron?.missed.at(-1);
  const causes: string[] = [];
  if (cron !== undefined && isSuspended(Spec)) {
    causes.push('Its schedule is suspended, by its label "gam.cron.suspend"');
  }
  if (missed !== undefined && missed.untilMs > (run?.dueMs ?? 0)) {
    causes.push(`It did not run at ${new Date(missed.untilMs).toISOString()}: ${missed.reason}`);
  }
  if (run?.end?.result === "failed") {
    causes.push(`Its last run (${run.iteration}) has failed: ${run.end.reason}`);
  }
  if (causes.length > 0) return causes;
  if (cron !== undefined && run === undefined) return ["All is as wanted: no run was due yet"];
  const number = run?.iteration ?? JobStatus?.JobIteration.Index ?? 0;
  return [
    `All is as wanted: run ${number} ${running > 0 ? "is active" : "has ended with success"}`,
  ];
}

function runs(task: Task): boolean {
  return isWanted(task) && task.Status.State === "running";
}

function updateCauses({ UpdateStatus }: Service): string[] {
  if (UpdateStatus === undefined) return [];
  const { State, Message } = UpdateStatus;
  if (State === "updating" && Message.startsWith("update waits")) return [`Its ${Message}`];
  if (State === "paused") return [`Its update is paused: ${Message}`];
  if (State === "rollback_paused") return [`Its rollback is paused: ${Message}`];
  if (State === "rollback_started" || State === "rollback_completed") {
    return [`Its last update was rolled back: ${Message}`];
  }
  return [];
}

function modeCauses(view: View, service: Service, { modelVerdicts }: ServiceFacts): string[] {
  const { Mode } = service.Spec;
  const pod = whyNoPod(view, service);
  if (pod !== undefined) return [pod];
  if (mainName(service.Spec.Labels) !== undefined) return [];
  if (Mode.Replicated !== undefined && (Mode.Replicated.Replicas ?? 0) === 0) {
    return ["It is scaled to 0 replicas"];
  }
  const isGlobal = Mode.Global !== undefined || Mode.GlobalJob !== undefined;
  if (!isGlobal || view.tasksOf(service.ID).some(isWanted)) return [];
  const takes = modelVerdicts.some(({ obstacles }) => obstacles.length === 0);
  return takes ? [] : ["No node is for this global service", ...whyNowhere(view, modelVerdicts)];
}

function placeCauses(view: View, service: Service, facts: ServiceFacts): string[] {
  const { nowMs, tasks, verdictsOf } = facts;
  const places = Map.groupBy(tasks, slotName);
  return [...places.values()].slice(0, judgedMax).flatMap((inPlace) => {
    const said = inPlace.flatMap((task) => {
      const verdicts = isTerminal(task.Status.State) ? [] : verdictsOf(task);
      return taskCauses(view, task, { verdicts, nowMs }).map((one) => `${taskName(task)}: ${one}`);
    });
    return [...said, ...givenUp(view, service, inPlace)];
  });
}

/** The place has no task any more that should run. */
function givenUp(view: View, service: Service, [first]: readonly Task[]): string[] {
  if (first === undefined) return [];
  const inPlace = view.tasksOf(service.ID).filter((task) => slotName(task) === slotName(first));
  const last = inPlace.at(-1);
  if (last === undefined || !isWanted(last) || !isTerminal(last.Status.State)) return [];
  const isJob = service.Spec.Mode.ReplicatedJob ?? service.Spec.Mode.GlobalJob;
  const endsWell = isJob !== undefined || isInit(service.Spec.Labels);
  if (endsWell && last.Status.State === "complete") return [];
  const { Condition = "any", MaxAttempts = 0 } = restartPolicyOf(service.Spec) ?? {};
  const limit = MaxAttempts > 0 ? `, at most ${MaxAttempts} attempts` : "";
  return [
    `${taskName(last)}: It is not started again: its restart policy is "${Condition}"${limit}`,
  ];
}
