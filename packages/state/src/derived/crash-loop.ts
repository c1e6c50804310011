/**
 * Crash loop: how often the tasks of one place have ended in a row, and what people are told about it.
 *
 * The count goes from task to task, because only a few ended tasks of a place are kept. A healthy run begins it
 * anew, and so does a change of the template. A success counts too: a service that ends each second is in a loop,
 * whatever its exit code is. Decides the count and the words, not the delay (restart-policy.ts).
 */
import { type Crashes, compareStates, type Task } from "../objects/task.ts";

/** A run is healthy after this time. The window of a restart policy says otherwise. */
const healthyMsDefault = 60_000;
/** Length of the kept reason. */
export const crashReasonMax = 512;
/** The service may have been updated since, and counts are bounded in the state. */
const countMax = 1_000_000;

/** Returns: the ends in a row in the place of a task that has ended by itself, that task included. */
export function crashesWith({ Status, Spec, Gam }: Task): Crashes {
  const healthyMs = (Spec.RestartPolicy?.Window ?? 0) / 1e6 || healthyMsDefault;
  const ranMs = Gam.startedAtMs === undefined ? 0 : Date.parse(Status.Timestamp) - Gam.startedAtMs;
  const before = ranMs >= healthyMs ? 0 : (Gam.crashes?.count ?? 0);
  const { Err, ContainerStatus } = Status;
  const reason = Err || `task: exit (${ContainerStatus?.ExitCode ?? 0})`;
  return { count: Math.min(before + 1, countMax), reason: reason.slice(0, crashReasonMax) };
}

/**
 * Returns: why the task does not run yet: `restarts in 40 s, after 4 failures in a row: task: non-zero exit (1)`;
 *          undefined unless it waits for the delay of a crash loop.
 */
export function restartNote(task: Task, nowMs: number): string | undefined {
  const { crashes, startAfterMs } = task.Gam;
  const waits = task.DesiredState === "ready" && compareStates(task.Status.State, "ready") <= 0;
  if (!waits || crashes === undefined || crashes.count < 2) return undefined;
  const leftS = Math.ceil((startAfterMs - nowMs) / 1000);
  const when = leftS > 0 ? `restarts in ${leftS} s` : "restarts now";
  return `${when}, after ${crashes.count} failures in a row: ${crashes.reason}`;
}
