/** With miss: the due times of a schedule that had no run, as one list. */
import type { CronMiss } from "../objects/service.ts";

/** Returns: the list with one more; a miss for the same reason as the last one continues it, without a run between. */
export function withMiss(
  before: readonly CronMiss[],
  miss: CronMiss,
  runs: readonly { readonly dueMs: number }[],
): readonly CronMiss[] {
  const last = before.at(-1);
  if (last === undefined || last.reason !== miss.reason) return [...before, miss];
  if (runs.some(({ dueMs }) => dueMs > last.untilMs && dueMs < miss.fromMs))
    return [...before, miss];
  const untilMs = Math.max(last.untilMs, miss.untilMs);
  return [...before.slice(0, -1), { ...last, untilMs, count: last.count + miss.count }];
}
