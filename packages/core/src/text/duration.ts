/** Durations as Go and Compose write them. */

const nanosecondsPer: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Returns: `1m30s` in nanoseconds; undefined for an invalid text. As Go's time.ParseDuration without a sign. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  // Both letters of "µs" as escapes: the bundle keeps a regular expression as it is written, and must be ASCII.
  const parts = [...text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== text) return undefined;
  const sum = parts.reduce(
    (total, [, number, unit]) => total + Number(number) * (nanosecondsPer[unit ?? ""] ?? 0),
    0,
  );
  return Math.round(sum);
}
