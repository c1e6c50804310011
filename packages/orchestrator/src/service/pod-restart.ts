/**
 * Pod restart: how long a pod waits before it is started again because one of its parts has ended.
 *
 * The restart policy of the part decides, and the ends in a row are counted with the main task, which is replaced. So
 * the delay grows as for any task that crashes.
 */
import { type Crashes, crashesWith, crashReasonMax, restartDelayMs, type Task } from "@gam/state";

/** Ends in a row that the back-off does not count, as for single tasks. */
const quick = 3;

/** Returns: the ends in a row of the pod, that of this part included. */
export function podCrashes(part: Task, main: Task): Crashes {
  const { count, reason } = crashesWith({ ...main, Status: part.Status });
  return { count, reason: `${part.Gam.serviceName}: ${reason}`.slice(0, crashReasonMax) };
}

/** Returns: the delay in milliseconds; undefined if the part's policy does not start it again. */
export function podDelayMs(part: Task, main: Task): number | undefined {
  const before = podCrashes(part, main).count - 1;
  return restartDelayMs(part.Spec.RestartPolicy, {
    hasFailed: part.Status.State !== "complete",
    isJob: false,
    restartsMsAgo: Array.from({ length: before }, () => 0),
    crashes: Math.max(1, before + 2 - quick),
  });
}
