import { restartDelayMs, type Task } from "@gam/state";

/**
 * Whether a container that ended is started again where no leader could replace its task, by the
 * task's own restart policy.
 *
 * Units:  ticks of `tickMs`; `restartTicks` says when it was restarted in place so far.
 * Shape:  ticks to wait after its end, or `undefined` when it stays down.
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
  });
  return delayMs === undefined ? undefined : Math.ceil(delayMs / tickMs);
}
