/**
 * Elapsed: whether a wait that began at a time in the state is over, by the present leader's clock.
 *
 * Leaders change, and clocks are set. Clocks of a mesh differ by less than `aheadMsMax`. A start further in
 * the future comes from a wrong clock, then or now, so the wait counts as over: it could last for ever.
 */
const aheadMsMax = 10_000;

export function hasPassed(
  nowMs: number,
  { sinceMs, waitMs }: { readonly sinceMs: number; readonly waitMs: number },
): boolean {
  const elapsedMs = nowMs - sinceMs;
  return elapsedMs >= waitMs || elapsedMs < -aheadMsMax;
}
