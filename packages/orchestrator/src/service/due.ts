/**
 * Due: which due times of a schedule have passed since they were last handled.
 *
 * When the leader's clock is behind the handled moment, nothing is due until the clock has reached it. If it is behind
 * by more than three hours, the clock was wrong before, and the schedule goes on from now: the rule of Vixie cron.
 */
import type { CronMiss } from "@gam/state";

interface Times {
  readonly next: (afterMs: number) => number | undefined;
  readonly last: (untilMs: number) => number | undefined;
}

/**
 * set-back  the clock was wrong: handle everything up to now, with this miss
 * later     nothing is due before `atMs`, or ever
 * due       the last due time, and those before it, which have passed as well
 */
export type Due =
  | { readonly kind: "set-back"; readonly miss: CronMiss }
  | { readonly kind: "later"; readonly atMs: number | undefined }
  | {
      readonly kind: "due";
      readonly firstMs: number;
      readonly lastMs: number;
      readonly passed: readonly CronMiss[];
    };

const setBackMsMax = 3 * 3_600_000;
/** Due times are counted up to here in one plan. */
const countMax = 1000;

export function dueSince(time: Times, sinceMs: number, nowMs: number): Due {
  if (sinceMs - nowMs > setBackMsMax) {
    const reason =
      "the clock was set back by more than three hours: the schedule goes on from then";
    return { kind: "set-back", miss: { fromMs: nowMs, untilMs: sinceMs, count: 0, reason } };
  }
  const firstMs = time.next(sinceMs);
  if (firstMs === undefined || firstMs > nowMs) return { kind: "later", atMs: firstMs };
  const lastMs = time.last(nowMs) ?? firstMs;
  const reason = "a later one was due as well when a leader looked";
  const passed = { firstMs, untilMs: lastMs - 1, reason };
  return { kind: "due", firstMs, lastMs, passed: firstMs < lastMs ? [missOf(time, passed)] : [] };
}

/** Returns: the due times from `firstMs` to `untilMs`, as one miss. */
export function missOf(
  time: Times,
  { firstMs, untilMs, reason }: { firstMs: number; untilMs: number; reason: string },
): CronMiss {
  let count = 0;
  let lastMs = firstMs;
  for (
    let ms: number | undefined = firstMs;
    ms !== undefined && ms <= untilMs;
    ms = time.next(ms)
  ) {
    lastMs = ms;
    count += 1;
    if (count === countMax)
      return { fromMs: firstMs, untilMs: time.last(untilMs) ?? ms, count, reason };
  }
  return { fromMs: firstMs, untilMs: lastMs, count, reason };
}
