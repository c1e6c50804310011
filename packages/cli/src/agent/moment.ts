/** Moment: a time as people write it for --since: a duration before now, or a date. */
import { GamError, parseDuration } from "@gam/core";

/** Returns: seconds since 1970. Errors: BAD_REQUEST. */
export function momentOf(text: string, nowMs: number): number {
  const days = /^(\d{1,4})d$/.exec(text)?.[1];
  const agoMs = days === undefined ? parseDuration(text) : Number(days) * 86_400_000_000_000;
  if (agoMs !== undefined) return (nowMs - agoMs / 1e6) / 1000;
  const at = Date.parse(text);
  if (!Number.isNaN(at) && /\d{4}-\d{2}-\d{2}/.test(text)) return at / 1000;
  throw new GamError(
    "BAD_REQUEST",
    `Cannot read the time "${text}": write how long ago (10m, 2h, 3d) or a date (2026-12-31T23:59:00Z)`,
  );
}
