/** Job view: what `gam job ls` and `gam job history` show. */
import type { JobHistory, JobRun, JobSummary } from "@gam/state/answers";
import { age } from "./age.ts";
import { columns } from "./columns.ts";
import { moment } from "./moment.ts";

export function jobsView(jobs: readonly JobSummary[], nowMs: number): string[] {
  const titles = ["NAME", "SCHEDULE", "NEXT", "ACTIVE", "LAST RUN", "RESULT"];
  const rows = jobs.map((job) => [
    job.name,
    job.schedule === "" ? "-" : `${job.schedule} (${job.timezone})`,
    next(job),
    String(job.active),
    job.last === null ? "-" : age(nowMs - job.last.startedMs),
    job.last?.result ?? "-",
  ]);
  return columns([titles, ...rows]);
}

function next({ suspended, nextMs }: JobSummary): string {
  if (suspended) return "suspended";
  return nextMs === null ? "-" : moment(nextMs);
}

interface Row {
  readonly atMs: number;
  readonly cells: readonly string[];
}

/** Runs and missed times, newest first. */
export function historyView(job: JobHistory, nowMs: number): string[] {
  const titles = ["RUN", "DUE", "BY", "TOOK", "RESULT", "REASON"];
  const rows: Row[] = [
    ...job.runs.map((run) => ({
      atMs: run.dueMs,
      cells: [
        String(run.number),
        moment(run.dueMs),
        run.by,
        took(run, nowMs),
        run.result,
        run.reason,
      ],
    })),
    ...job.missed.map(({ fromMs, untilMs, count, reason }) => ({
      atMs: fromMs,
      cells: ["-", span(fromMs, untilMs), "schedule", "-", missed(count), reason],
    })),
  ];
  rows.sort((a, b) => b.atMs - a.atMs);
  const ahead = job.schedule === "" ? [] : [`Next: ${next(job)}`, ""];
  return [...ahead, ...columns([titles, ...rows.map(({ cells }) => cells)])];
}

function missed(count: number): string {
  return count > 1 ? `${count} missed` : "missed";
}

function span(fromMs: number, untilMs: number): string {
  return fromMs === untilMs ? moment(fromMs) : `${moment(fromMs)} to ${moment(untilMs)}`;
}

function took({ startedMs, endedMs }: JobRun, nowMs: number): string {
  const seconds = Math.max(0, Math.round(((endedMs ?? nowMs) - startedMs) / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
