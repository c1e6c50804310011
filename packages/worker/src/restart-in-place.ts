import { restartDelayMs, type Task } from "@gam/state";

/**
 * Decides by the task's restart policy whether to restart an ended container in place, when no leader can replace
 * the task.
 *
 * Units:   ticks of `tickMs`; `restartTicks` says when it was restarted in place so far.
 * Returns: ticks to wait after its end, or `undefined` when it stays down.
 */
export function restartTicksOf(
  task: Task,
  exitCode: number,
  restartTicks: readonly number[],
  { nowTick, tickMs }: { readonly nowTick: number; readonly tickMs: number },
): number | undefined {
  const delayMs = restartDelayMs(task.Spec.RestartPolicy, {
    hasFailed: exitCode !== 0,
    isJob: task.DesiredState === "complete",
    restartsMsAgo: restartTicks.map((tick) => (nowTick - tick) * tickMs),
    // The delay does not grow meanwhile: only the state remembers healthy runs.
    crashes: (task.Gam.crashes?.count ?? 0) + 1,
  });
  return delayMs === undefined ? undefined : Math.ceil(delayMs / tickMs);
}
