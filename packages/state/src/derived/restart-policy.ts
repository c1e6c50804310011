import type { RestartPolicy } from "../objects/service.ts";

const delayMsDefault = 5000;
/** A longer delay than this is always the policy's own. */
const backoffMsMax = 5 * 60_000;
/** What is doubled when the policy's delay is shorter. */
const backoffMsMin = 1000;

/** A task that has ended by itself. */
export interface EndedTask {
  readonly hasFailed: boolean;
  /** The task of a job: it runs once, and a successful end is its goal. */
  readonly isJob: boolean;
  /** For each earlier restart under the same policy: how long before this end it was. */
  readonly restartsMsAgo: readonly number[];
  /** How many ends in a row the back-off counts; up to 1, the delay is the policy's. The caller leaves out the quick ones. */
  readonly crashes: number;
}

/**
 * Returns: how long after its end a task that ended by itself is restarted; undefined when it is not. The delay is
 *          the policy's at first, and doubles with each crash in a row, up to five minutes. A policy that limits
 *          attempts in a window keeps its delay: longer ones would let too few attempts fall into the window.
 *
 * Units: milliseconds.
 * Source: Docker Engine API 1.41, RestartPolicy; without a policy, or without a condition, it is "any".
 */
export function restartDelayMs(
  policy: RestartPolicy | undefined,
  { hasFailed, isJob, restartsMsAgo, crashes }: EndedTask,
): number | undefined {
  const { Condition = "any", Delay, MaxAttempts = 0, Window = 0 } = policy ?? {};
  if (Condition === "none") return undefined;
  if (!hasFailed && (Condition === "on-failure" || isJob)) return undefined;
  const windowMs = Window / 1e6;
  const attempts = restartsMsAgo.filter((agoMs) => windowMs === 0 || agoMs <= windowMs);
  if (MaxAttempts > 0 && attempts.length >= MaxAttempts) return undefined;
  const delayMs = Delay === undefined ? delayMsDefault : Delay / 1e6;
  if (crashes <= 1 || (MaxAttempts > 0 && windowMs > 0)) return delayMs;
  const doubledMs = Math.max(delayMs, backoffMsMin) * 2 ** (crashes - 1);
  return Math.max(delayMs, Math.min(doubledMs, backoffMsMax));
}
