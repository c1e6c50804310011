/** Cron labels: when a job runs, what happens when it cannot, and how often its tasks are tried. */
import type { RestartPolicy, ServiceSpec } from "../objects/service.ts";
import { type CronTime, cronTime, readCron, readZone } from "./cron-time.ts";
import { duration, type LabelRule, readLabel, text, whole, words } from "./label-rule.ts";

/** What happens to a run that is due while another is active: Kubernetes' words. */
type Concurrency = "forbid" | "allow" | "replace";

const expression: LabelRule<string> = {
  name: "gam.cron",
  ...text(
    'a cron expression of five fields, of six with the seconds first, or a name such as "@daily"',
    readCron,
  ),
  does: "runs a job at these times, and not when it is created or updated",
  without: "a job runs when it is created or updated",
};

export const cronZoneLabel: LabelRule<string> = {
  name: "gam.cron.timezone",
  ...text('a time zone of the IANA database, such as "Europe/Berlin"', readZone),
  does: "reads the cron expression in this time zone",
  without: "it is read in UTC",
};

const concurrency: LabelRule<Concurrency> = {
  name: "gam.cron.concurrency",
  ...words("forbid", "allow", "replace"),
  does: "says what happens to a run that is due while another is active: it is missed, runs beside it, or replaces it",
  without: "it is missed, as with forbid",
};

const deadline: LabelRule<number> = {
  name: "gam.cron.deadline",
  ...duration("1s", "8760h"),
  does: "does not start a run that is later than this: it is missed",
  without: "a late run starts, however late it is",
};

const historyMax = 100;
const historyDefault = 10;
const history: LabelRule<number> = {
  name: "gam.cron.history",
  ...whole(1, historyMax),
  does: "keeps so many ended runs with their tasks",
  without: `${historyDefault} are kept`,
};

const suspend: LabelRule<"true" | "false"> = {
  name: "gam.cron.suspend",
  ...words("true", "false"),
  does: "stops the schedule: runs that are due meanwhile are missed",
  without: "the schedule is followed",
};

const retries: LabelRule<number> = {
  name: "gam.job.retries",
  ...whole(0, 1000),
  does: "tries a failed task of a job so often again, in each place and each run",
  without: "the restart policy decides; if it sets no maximum, scheduled runs try 6 times",
};

const backoff: LabelRule<number> = {
  name: "gam.job.backoff",
  ...duration("1s", "1h"),
  does: "waits so long before the first retry of a job's task; the wait doubles each time, up to five minutes",
  without: "the restart policy's delay comes first",
};

/** In the order of docs/labels.md. */
export const cronLabels: readonly LabelRule<unknown>[] = [
  ...[expression, cronZoneLabel, concurrency, deadline, history, suspend],
  ...[retries, backoff],
];

type Labelled = Pick<ServiceSpec, "Labels">;

/** When a service runs, and what becomes of runs that cannot. */
export interface CronRules {
  readonly expression: string;
  readonly timezone: string;
  readonly time: CronTime;
  readonly concurrency: Concurrency;
  readonly deadlineMs: number | undefined;
}

/** Returns: what the labels say; undefined where the service has no schedule, or none that this gam can read. */
export function cronRules({ Labels }: Labelled): CronRules | undefined {
  const cron = readLabel(expression, Labels);
  if (cron === undefined) return undefined;
  const zone = readLabel(cronZoneLabel, Labels) ?? "UTC";
  return {
    expression: cron,
    timezone: zone,
    time: cronTime(cron, zone),
    concurrency: readLabel(concurrency, Labels) ?? "forbid",
    deadlineMs: readLabel(deadline, Labels),
  };
}

export function isJob({ Mode }: Pick<ServiceSpec, "Mode">): boolean {
  return Mode.ReplicatedJob !== undefined || Mode.GlobalJob !== undefined;
}

/** Whether the job runs by a schedule. Does not read the expression: an older gam may have accepted another. */
export function hasCron(spec: Pick<ServiceSpec, "Labels" | "Mode">): boolean {
  return isJob(spec) && Boolean(spec.Labels?.[expression.name]);
}

export function isSuspended({ Labels }: Labelled): boolean {
  return readLabel(suspend, Labels) === "true";
}

/** Whether both have the same due times. */
export function sameSchedule(a: Labelled, b: Labelled): boolean {
  return [expression, cronZoneLabel].every(
    ({ name }) => (a.Labels?.[name] ?? "") === (b.Labels?.[name] ?? ""),
  );
}

/** How many ended runs are kept. */
export function historyOf({ Labels }: Labelled): number {
  return readLabel(history, Labels) ?? historyDefault;
}

/** Whether a run may be active beside others. */
export function mayOverlap({ Labels }: Labelled): boolean {
  return readLabel(concurrency, Labels) === "allow";
}

/** Whether a run may end the active one. */
export function mayReplace({ Labels }: Labelled): boolean {
  return readLabel(concurrency, Labels) === "replace";
}

/** As Kubernetes does: a run that is tried for ever would keep all later ones away. */
const scheduledRetries = 6;

/** Returns: the restart policy of the service's tasks, with what the labels of a job add to it. */
export function restartPolicyOf(spec: ServiceSpec): RestartPolicy | undefined {
  const policy = spec.TaskTemplate.RestartPolicy;
  if (!isJob(spec)) return policy;
  const delayMs = readLabel(backoff, spec.Labels);
  const asked = readLabel(retries, spec.Labels);
  if (asked === 0) return { ...policy, Condition: "none" };
  const attempts = asked ?? (policy?.MaxAttempts || (hasCron(spec) ? scheduledRetries : 0));
  return {
    ...policy,
    MaxAttempts: attempts,
    ...(delayMs !== undefined && { Delay: delayMs * 1e6 }),
  };
}

/** Returns: what the labels of jobs must not say together, or of a service that is none. */
export function cronProblem(spec: ServiceSpec): string | undefined {
  const { Labels = {} } = spec;
  const given = cronLabels.map(({ name }) => name).filter((name) => Labels[name]);
  const [first] = given;
  if (first === undefined) return undefined;
  if (!isJob(spec)) {
    return `label "${first}" is for jobs: use "--mode replicated-job" or "--mode global-job" ("deploy.mode" in a stack file), or leave the label out`;
  }
  const orphan = given.find((name) => name.startsWith(`${expression.name}.`));
  if (orphan !== undefined && !Labels[expression.name]) {
    return `label "${orphan}" has no effect without a schedule: add "${expression.name}"`;
  }
  const { MaxAttempts = 0, Delay } = spec.TaskTemplate.RestartPolicy ?? {};
  if (Labels[retries.name] && MaxAttempts > 0) return twice(retries.name, "maximum of attempts");
  if (Labels[backoff.name] && Delay !== undefined) return twice(backoff.name, "delay");
  return undefined;
}

function twice(name: string, field: string): string {
  return `label "${name}" and the ${field} of the restart policy say the same: leave one of them out`;
}
