/**
 * Cron: when a job with a schedule runs, and how each of its runs ends.
 *
 *   due, in time                       a new run
 *   several are due at once            a run for the last of them, the others are missed
 *   due while a run is active          missed, a run beside it, or one instead of it, as the service says
 *   due longer ago than the deadline   missed
 *   due while suspended                missed
 *
 * Each due time is handled once: the state says up to when all have been, and the change that moves this moment
 * also begins the run or notes the miss. So a lost plan, a new leader or a cluster that was down changes nothing. What
 * a clock that is set back means: due.ts.
 *
 * Does not decide what happens inside a run (job.ts).
 */
import {
  activeRuns,
  activeRunsMax,
  type CronMiss,
  type CronRules,
  type CronRun,
  crashesWith,
  cronRules,
  isSuspended,
  isTerminal,
  type PlannedChange,
  type Task,
} from "@gam/state";
import { dueSince, missOf } from "./due.ts";
import { dismissed, type JobPlan, planRun } from "./job.ts";
import { runOf, type Situation } from "./situation.ts";

export interface CronPlan extends JobPlan {
  /** When the service needs another plan without an event; undefined for never. */
  readonly againAtMs: number | undefined;
}

/** Shape: `tasks` are the service's tasks whose removal is not planned. */
export function planCron(situation: Situation, tasks: readonly Task[]): CronPlan {
  const { service, nowMs } = situation;
  const ofRun = Map.groupBy(tasks, runOf);
  const active = activeRuns(service);
  const isActive = new Set(active.map(({ iteration }) => iteration));
  const steps = [...dismissed(situation, tasks, (run) => !isActive.has(run))];
  const goingOn: CronRun[] = [];
  let waiting = false;
  for (const run of active) {
    const { iteration } = run;
    const own = ofRun.get(iteration) ?? [];
    const plan = planRun(situation.ofRun(iteration), own);
    steps.push(...plan.steps);
    waiting ||= plan.waiting;
    if (plan.end === undefined) {
      goingOn.push(run);
      continue;
    }
    const reason = plan.end === "complete" ? lossOf(situation, own) : reasonOf(own);
    const end = { result: plan.end, atMs: nowMs, reason };
    steps.push([{ kind: "endRun", id: service.ID, iteration, end }]);
  }
  const due = planDue(situation, goingOn);
  if (due.change !== undefined) steps.push([due.change]);
  return { steps, waiting, againAtMs: due.againAtMs };
}

/** A global job does not wait for nodes that are down: nothing else could do their part. */
function lossOf({ service }: Situation, own: readonly Task[]): string {
  if (service.Spec.Mode.GlobalJob === undefined) return "";
  const lost = own.filter(({ Status }) => !isTerminal(Status.State)).length;
  if (lost === 0) return "";
  return lost === 1 ? "without one node that was lost" : `without ${lost} nodes that were lost`;
}

/** Why a run has failed: the end of the last task that failed. */
function reasonOf(own: readonly Task[]): string {
  const failed = own
    .filter(({ Status }) => isTerminal(Status.State) && Status.State !== "complete")
    .toSorted((a, b) => Date.parse(b.Status.Timestamp) - Date.parse(a.Status.Timestamp));
  const [last] = failed;
  return last === undefined ? "no node may run it" : crashesWith(last).reason;
}

interface Due {
  readonly change?: Extract<PlannedChange, { kind: "handleDue" }> | undefined;
  readonly againAtMs: number | undefined;
}

/** Shape: `active` are the runs that this plan does not end. */
function planDue({ service, nowMs, faults }: Situation, active: readonly CronRun[]): Due {
  const { cron } = service.Gam;
  const rules = cronRules(service.Spec);
  if (cron === undefined || rules === undefined || isSuspended(service.Spec)) {
    return { againAtMs: undefined };
  }
  const sinceMs = cron.handledMs;
  const handled = (handledMs: number, missed: readonly CronMiss[], startMs?: number): Due => ({
    change: {
      ...{ kind: "handleDue", id: service.ID, basedOn: service.Version.Index },
      ...{ sinceMs, handledMs, missed, startMs },
    },
    againAtMs: undefined,
  });
  if (sinceMs === undefined) return handled(nowMs, []);
  const due = dueSince(rules.time, sinceMs, nowMs);
  if (due.kind === "set-back") return handled(nowMs, [due.miss]);
  if (due.kind === "later") {
    return cron.wasSuspended ? handled(Math.max(sinceMs, nowMs), []) : { againAtMs: due.atMs };
  }
  const { firstMs, lastMs } = due;
  if (cron.wasSuspended) {
    const miss = missOf(rules.time, { firstMs, untilMs: nowMs, reason: "it was suspended" });
    return handled(nowMs, [miss]);
  }
  const missed = faults.has("missed-forgotten") ? [] : due.passed;
  const reason = obstacle(rules, nowMs - lastMs, active);
  if (reason !== undefined) {
    return handled(lastMs, [...missed, { fromMs: lastMs, untilMs: lastMs, count: 1, reason }]);
  }
  return handled(faults.has("due-twice") ? sinceMs : lastMs, missed, lastMs);
}

/** Returns: why a run that is late by `lateMs` does not begin; undefined if it does. */
function obstacle(
  { concurrency, deadlineMs }: CronRules,
  lateMs: number,
  active: readonly CronRun[],
): string | undefined {
  if (deadlineMs !== undefined && lateMs > deadlineMs) {
    return `it was late by more than the deadline of ${deadlineMs / 1000} s`;
  }
  const [run] = active;
  if (run === undefined || concurrency === "replace") return undefined;
  if (concurrency === "forbid") return `run ${run.iteration} was still active`;
  return active.length < activeRunsMax ? undefined : `${activeRunsMax} runs were still active`;
}
