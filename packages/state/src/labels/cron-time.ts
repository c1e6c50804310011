/**
 * Cron time: when a cron expression is due.
 *
 * Takes five fields, six with seconds first, and names such as `@daily`. Pure: the caller says after which moment,
 * and no timer runs. Where clocks are changed (summer time): an expression with fixed hours and minutes is due at the
 * first moment after the gap if its time is skipped, and once if its time comes twice. One with `*` or a step in
 * them follows the clock: it has nothing in the gap, and the repeated hour twice.
 *
 * Source: the crontab of Vixie cron; `L`, `W` and `#` as croner has them.
 */
import { Cron } from "croner";

/** A cron expression in a time zone. */
export interface CronTime {
  /** Returns: the first due moment after `afterMs`; undefined if there is none before the year 10000. */
  readonly next: (afterMs: number) => number | undefined;
  /** Returns: the last due moment at or before `untilMs`; undefined if there is none. */
  readonly last: (untilMs: number) => number | undefined;
}

const expressionLengthMax = 256;
/** croner would take a date, a `?` for the present moment, and `@reboot`: none of them recurs. */
const form = /^(?:@[a-z]+|[0-9A-Za-z*,/#+-]+(?:[ \t]+[0-9A-Za-z*,/#+-]+){4,5})$/i;
const zoneForm = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+){0,2}$/;
/** Any moment: from it on, an expression that is ever due has a next one. */
const someMs = Date.UTC(2024, 0, 1);

/** Returns: the expression as croner reads it; undefined if it is none, or is never due. */
export function readCron(text: string): string | undefined {
  const expression = text.trim();
  if (expression.length > expressionLengthMax || !form.test(expression)) return undefined;
  try {
    return cronTime(expression, "UTC").next(someMs) === undefined ? undefined : expression;
  } catch (thrown) {
    // Besides these two, croner throws nothing for a text.
    if (thrown instanceof TypeError || thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}

/**
 * Returns: the name if it has the form of a time zone's; undefined if not. Peers apply specs by this alone: their
 *         databases of time zones may differ, and what they apply must not.
 */
export function readZone(text: string): string | undefined {
  return zoneForm.test(text) ? text : undefined;
}

/** Whether this peer's database has the time zone. */
export function isKnownZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch (thrown) {
    if (thrown instanceof RangeError) return false;
    throw thrown;
  }
}

/** The plans ask for the same few expressions again and again. */
const known = new Map<string, CronTime>();
const knownMax = 1000;

/** Never due, as far as this peer knows: another one may know the time zone. */
const unknown: CronTime = { next: () => undefined, last: () => undefined };

/** Shape: `expression` is from readCron(), `zone` from readZone(). */
export function cronTime(expression: string, zone: string): CronTime {
  const key = `${expression} ${zone}`;
  const found = known.get(key) ?? newCronTime(expression, zone);
  if (known.size >= knownMax) known.clear();
  known.set(key, found);
  return found;
}

function newCronTime(expression: string, zone: string): CronTime {
  if (!isKnownZone(zone)) return unknown;
  const cron = new Cron(expression, {
    paused: true,
    timezone: zone,
    mode: "5-or-6-parts",
    fixedTimeRule: "no-wildcard",
  });
  return {
    next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime(),
    last: (untilMs) => cron.previousRuns(1, new Date(untilMs + 1))[0]?.getTime(),
  };
}
