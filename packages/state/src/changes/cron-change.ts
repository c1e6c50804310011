/**
 * Cron change: what becomes of a job's runs when one begins or ends, when due times are handled, and when the
 * service gets another spec.
 *
 * A run is an iteration of the job. Decides the service after a change. Does not decide when a run is due or how it
 * ends (orchestrator).
 */
import { withMiss } from "../derived/with-miss.ts";
import {
  hasCron,
  historyOf,
  isJob,
  isSuspended,
  mayOverlap,
  mayReplace,
  sameSchedule,
} from "../labels/cron-labels.ts";
import type { ChangeOf, Refusal } from "../log/change.ts";
import type { Occasion } from "../log/occasion.ts";
import type { CronRun, CronState, Service, ServiceSpec } from "../objects/service.ts";

/** Runs that may be active at the same time. */
export const activeRunsMax = 100;
/** Of one service: updates that forbid nothing may add some. */
const runsMax = 2 * activeRunsMax;

const none: CronState = { runs: [], missed: [] };

export function activeRuns({ Gam }: Pick<Service, "Gam">): readonly CronRun[] {
  return (Gam.cron?.runs ?? []).filter(({ end }) => end === undefined);
}

/** Returns: why no run may begin now. */
export function runRefusal(service: Service | undefined): Refusal | undefined {
  if (service === undefined) return undefined;
  const { Spec } = service;
  if (!isJob(Spec)) {
    const message = `service ${Spec.Name} is no job: only services of mode replicated-job or global-job have runs`;
    return { code: "BAD_REQUEST", message };
  }
  const active = activeRuns(service);
  const [run] = active;
  if (run === undefined || mayReplace(Spec)) return undefined;
  if (mayOverlap(Spec) && active.length < activeRunsMax) return undefined;
  const message = `run ${run.iteration} of ${Spec.Name} is still active: wait for its end, or set the label "gam.cron.concurrency"`;
  return { code: "REFUSED", message };
}

/** Returns: the service with a new run, which ends the active ones unless runs may overlap. */
export function withRun(
  service: Service,
  { dueMs, by }: Pick<CronRun, "dueMs" | "by">,
  on: Occasion,
): Service {
  const { Spec, Gam } = service;
  const Index = (service.JobStatus?.JobIteration.Index ?? 0) + 1;
  const begun = {
    ...service,
    UpdatedAt: on.at,
    JobStatus: { JobIteration: { Index }, LastExecution: on.at },
  };
  if (!hasCron(Spec)) return begun;
  const { cron = none } = Gam;
  const before = mayOverlap(Spec)
    ? cron.runs
    : cron.runs.map((run) => (run.end === undefined ? replacedBy(run, Index, on) : run));
  const runs = [...before, { iteration: Index, dueMs, startedMs: on.atMs, by }];
  return { ...begun, Gam: { ...Gam, cron: trimmed({ ...cron, runs }, Spec) } };
}

function replacedBy(run: CronRun, iteration: number, on: Occasion): CronRun {
  const reason = `replaced by run ${iteration}`;
  return { ...run, end: { result: "replaced", atMs: on.atMs, reason } };
}

/** The service after due times were handled; the same one where the change is void. */
export function dueHandled(
  service: Service,
  change: Extract<ChangeOf<"service">, { kind: "handleDue" }>,
  on: Occasion,
): Service {
  const { cron } = service.Gam;
  if (cron === undefined || service.Version.Index !== change.basedOn) return service;
  if (cron.handledMs !== change.sinceMs) return service;
  const { wasSuspended: _, ...rest } = cron;
  const missed = change.missed.reduce((all, one) => withMiss(all, one, rest.runs), rest.missed);
  const next = trimmed({ ...rest, handledMs: change.handledMs, missed }, service.Spec);
  const handled = { ...service, UpdatedAt: on.at, Gam: { ...service.Gam, cron: next } };
  const { startMs } = change;
  if (startMs === undefined) return handled;
  return withRun(handled, { dueMs: startMs, by: "schedule" }, on);
}

/** The service after a run has ended; the same one where the change is void. */
export function runEnded(
  service: Service,
  { iteration, end }: Extract<ChangeOf<"service">, { kind: "endRun" }>,
  on: Occasion,
): Service {
  const { cron } = service.Gam;
  const isActive = activeRuns(service).some((run) => run.iteration === iteration);
  if (cron === undefined || !isActive) return service;
  const runs = cron.runs.map((run) => (run.iteration === iteration ? { ...run, end } : run));
  const next = trimmed({ ...cron, runs }, service.Spec);
  return { ...service, UpdatedAt: on.at, Gam: { ...service.Gam, cron: next } };
}

/** Keeps active runs and the last ended ones. */
function trimmed(cron: CronState, spec: ServiceSpec): CronState {
  const kept = historyOf(spec);
  const ended = cron.runs.filter(({ end }) => end !== undefined);
  const dropped = new Set(ended.slice(0, Math.max(0, ended.length - kept)));
  const runs = cron.runs.filter((run) => !dropped.has(run)).slice(-runsMax);
  return { ...cron, runs, missed: cron.missed.slice(-kept) };
}

/** Returns: what the service remembers of its runs when it is created, or gets `spec`; undefined without a schedule. */
export function cronFor(spec: ServiceSpec, service: Service | undefined): CronState | undefined {
  if (!hasCron(spec)) return undefined;
  const before = service?.Gam.cron;
  if (service === undefined || before === undefined) {
    return { ...none, runs: service === undefined ? [] : adopted(service) };
  }
  const { handledMs, wasSuspended = false, ...rest } = before;
  const resumes = isSuspended(service.Spec) && !isSuspended(spec);
  const goesOn = handledMs !== undefined && sameSchedule(service.Spec, spec);
  const kept = trimmed({ ...rest, ...(goesOn && { handledMs }) }, spec);
  return goesOn && (resumes || wasSuspended) ? { ...kept, wasSuspended: true } : kept;
}

/** The present run of a job that had no schedule goes on. */
function adopted({ JobStatus }: Service): readonly CronRun[] {
  if (JobStatus === undefined) return [];
  const startedMs = Date.parse(JobStatus.LastExecution);
  const iteration = JobStatus.JobIteration.Index ?? 0;
  return [{ iteration, dueMs: startedMs, startedMs, by: "hand" }];
}
