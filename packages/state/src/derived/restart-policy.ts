import type { RestartPolicy } from "../objects/service.ts";

const delayMsDefault = 5000;

/** A task that has ended by itself. */
export interface EndedTask {
  readonly hasFailed: boolean;
  /** The task of a job: it runs once, and a successful end is its goal. */
  readonly isJob: boolean;
  /** For each earlier restart under the same policy: how long before this end it was. */
  readonly restartsMsAgo: readonly number[];
}

/**
 * Returns: how long after its end a task that ended by itself is restarted; undefined when it is not.
 *
 * Units: milliseconds.
 * Source: Docker Engine API 1.41, RestartPolicy; without a policy, or without a condition, it is "any".
 */
export function restartDelayMs(
  policy: RestartPolicy | undefined,
  { hasFailed, isJob, restartsMsAgo }: EndedTask,
): number | undefined {
  const { Condition = "any", Delay, MaxAttempts = 0, Window = 0 } = policy ?? {};
  if (Condition === "none") return undefined;
  if (!hasFailed && (Condition === "on-failure" || isJob)) return undefined;
  const windowMs = Window / 1e6;
  const attempts = restartsMsAgo.filter((agoMs) => windowMs === 0 || agoMs <= windowMs);
  if (MaxAttempts > 0 && attempts.length >= MaxAttempts) return undefined;
  return Delay === undefined ? delayMsDefault : Delay / 1e6;
}
