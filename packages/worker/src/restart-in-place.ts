import type { Task } from "@gam/state";

const nsPerMs = 1e6;
const delayNsDefault = 5e9;

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
  now: { readonly nowTick: number; readonly tickMs: number },
): number | undefined {
  const policy = task.Spec.RestartPolicy ?? {};
  const condition = policy.Condition ?? "any";
  const job = task.DesiredState === "complete";
  if (condition === "none") return undefined;
  if (exitCode === 0 && (condition === "on-failure" || job)) return undefined;
  const nsPerTick = now.tickMs * nsPerMs;
  const since = policy.Window ? now.nowTick - policy.Window / nsPerTick : 0;
  const attempts = restartTicks.filter((tick) => tick >= since).length;
  if (policy.MaxAttempts && attempts >= policy.MaxAttempts) return undefined;
  return Math.ceil((policy.Delay ?? delayNsDefault) / nsPerTick);
}
