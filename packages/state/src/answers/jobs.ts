/**
 * Jobs: the answers of `GET /gam/v1/jobs` and `GET /gam/v1/jobs/NAME`. The agent makes them and the gam command reads
 * them.
 */
import { type Check, check, type ServiceId } from "@gam/core";
import type { CronMiss } from "../objects/service.ts";

export interface JobSummary {
  readonly id: ServiceId;
  readonly name: string;
  /** The cron expression; "" for a job without a schedule. */
  readonly schedule: string;
  readonly timezone: string;
  readonly suspended: boolean;
  /** The next due time, by the asked host's clock; null for none. */
  readonly nextMs: number | null;
  /** Runs that are active. */
  readonly active: number;
  /** The newest run; null before the first. */
  readonly last: JobRun | null;
}

export interface JobRun {
  /** The iteration of the job. */
  readonly number: number;
  /** When it was due, or asked for. */
  readonly dueMs: number;
  readonly startedMs: number;
  readonly by: "schedule" | "hand";
  readonly result: "active" | "complete" | "failed" | "replaced";
  /** null while it is active. */
  readonly endedMs: number | null;
  readonly reason: string;
}

export interface JobHistory extends JobSummary {
  /** Oldest first. */
  readonly runs: readonly JobRun[];
  readonly missed: readonly CronMiss[];
}

const jobsMax = 100_000;
const runsMax = 10_000;
const text = check.string(65_536);

const checkRun: Check<JobRun> = check.object({
  number: check.integer(),
  dueMs: check.number(),
  startedMs: check.number(),
  by: check.literal("schedule", "hand"),
  result: check.literal("active", "complete", "failed", "replaced"),
  endedMs: check.orNull(check.number()),
  reason: text,
});

const summary = {
  id: check.id<ServiceId>(),
  name: text,
  schedule: text,
  timezone: text,
  suspended: check.boolean,
  nextMs: check.orNull(check.number()),
  active: check.integer(),
  last: check.orNull(checkRun),
};

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkJobs: Check<readonly JobSummary[]> = check.list(check.object(summary), jobsMax);

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkJobHistory: Check<JobHistory> = check.object({
  ...summary,
  runs: check.list(checkRun, runsMax),
  missed: check.list(
    check.object({
      fromMs: check.number(),
      untilMs: check.number(),
      count: check.integer(),
      reason: text,
    }),
    runsMax,
  ),
});
