/**
 * Elapsed: whether a time has passed that is kept in the state, by the clock of whoever leads now.
 *
 * Leaders change, and clocks are set. A moment that lies ahead by more than clocks of a mesh differ was
 * written by a clock that was wrong since, or is wrong now: to wait for it could take for ever.
 */
const aheadMsMax = 10_000;

export function hasPassed(
  nowMs: number,
  { sinceMs, waitMs }: { readonly sinceMs: number; readonly waitMs: number },
): boolean {
  const elapsedMs = nowMs - sinceMs;
  return elapsedMs >= waitMs || elapsedMs < -aheadMsMax;
}
