/** Job answer: what gam's own calls show of a job. A job without a schedule has the runs of which tasks are kept. */
import {
  activeRuns,
  type CronRun,
  cronRules,
  isSuspended,
  isTerminal,
  isWanted,
  type Service,
  type Task,
  type View,
} from "@gam/state";
import type { JobHistory, JobRun, JobSummary } from "@gam/state/answers";

export function jobSummary(view: View, service: Service, nowMs: number): JobSummary {
  const { runs: _, missed: __, ...summary } = jobHistory(view, service, nowMs);
  return summary;
}

export function jobHistory(view: View, service: Service, nowMs: number): JobHistory {
  const { ID: id, Spec, Gam } = service;
  const rules = cronRules(Spec);
  const suspended = rules !== undefined && isSuspended(Spec);
  const fromMs = Math.max(nowMs, Gam.cron?.handledMs ?? 0);
  const runs = Gam.cron?.runs.map(runAnswer) ?? runsOfTasks(view.tasksOf(id));
  return {
    id,
    name: Spec.Name,
    schedule: rules?.expression ?? "",
    timezone: rules?.timezone ?? "",
    suspended,
    nextMs: (suspended ? undefined : rules?.time.next(fromMs)) ?? null,
    active:
      Gam.cron === undefined
        ? runs.filter(({ result }) => result === "active").length
        : activeRuns(service).length,
    last: runs.at(-1) ?? null,
    runs,
    missed: Gam.cron?.missed ?? [],
  };
}

function runAnswer({ iteration, dueMs, startedMs, by, end }: CronRun): JobRun {
  return {
    ...{ number: iteration, dueMs, startedMs, by },
    result: end?.result ?? "active",
    endedMs: end?.atMs ?? null,
    reason: end?.reason ?? "",
  };
}

function runsOfTasks(tasks: readonly Task[]): JobRun[] {
  const byRun = Map.groupBy(tasks, ({ JobIteration }) => JobIteration?.Index ?? 0);
  return [...byRun].sort(([a], [b]) => a - b).map(([number, own]) => runOfTasks(number, own));
}

function runOfTasks(number: number, own: readonly Task[]): JobRun {
  const startedMs = Math.min(...own.map(({ CreatedAt }) => Date.parse(CreatedAt)));
  const isActive = own.some((task) => isWanted(task) && !isTerminal(task.Status.State));
  const places = Map.groupBy(own, ({ Slot, NodeID }) => Slot ?? NodeID);
  const open = [...places.values()].filter((place) => !place.some(isComplete));
  const failed = open.flatMap((place) => place.at(-1) ?? []);
  const endedMs = Math.max(...own.map(({ Status }) => Date.parse(Status.Timestamp)));
  return {
    ...{ number, dueMs: startedMs, startedMs, by: "hand" },
    result: isActive ? "active" : failed.length > 0 ? "failed" : "complete",
    endedMs: isActive ? null : endedMs,
    reason: isActive ? "" : (failed[0]?.Status.Err ?? ""),
  };
}

function isComplete({ Status }: Task): boolean {
  return Status.State === "complete";
}
