/** Log times: the time at the head of an engine's log line, in a form that sorts across hosts and time zones. */

export interface LogTime {
  /** Milliseconds since 1970. */
  readonly ms: number;
  /** The rest, 0 to 999,999. */
  readonly nanos: number;
}

export interface TimedLine {
  readonly time: LogTime;
  /** Where the line begins behind its time and a blank. */
  readonly textAt: number;
}

const headBytesMax = 36;
const timeText = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})(Z|[+-]\d\d:\d\d) /;

/** Returns: the time in front of the line; `undefined` if there is none. */
export function timeOf(line: Buffer): TimedLine | undefined {
  const match = timeText.exec(line.toString("latin1", 0, headBytesMax));
  if (match === null) return undefined;
  const [head, seconds = "", fraction = "", zone = ""] = match;
  const ms = Date.parse(`${seconds}.${fraction.slice(0, 3)}${zone}`);
  if (Number.isNaN(ms)) return undefined;
  return { time: { ms, nanos: Number(fraction.slice(3)) }, textAt: head.length };
}

/** Returns: less than 0 if `a` is earlier. */
export function compareTimes(a: LogTime, b: LogTime): number {
  return a.ms - b.ms || a.nanos - b.nanos;
}

/** Returns: the time as the engine's `since` wants it: seconds with nine decimals. */
export function sinceText({ ms, nanos }: LogTime): string {
  const seconds = Math.floor(ms / 1000);
  const fraction = String((ms - seconds * 1000) * 1_000_000 + nanos).padStart(9, "0");
  return `${seconds}.${fraction}`;
}

/** Returns: the time as the engine writes it in front of lines, with its blank. */
export function timeHead(ms: number): string {
  return `${new Date(ms).toISOString().replace("Z", "000000Z")} `;
}
