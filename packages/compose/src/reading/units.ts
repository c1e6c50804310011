/**
 * Units: parses durations, sizes and shares of a CPU in stack files.
 *
 * Each function returns `undefined` for an invalid text. Source: what the docker client accepts, which is
 * Go's time.ParseDuration and binary units of memory.
 */

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

/** `1m30s` in nanoseconds. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  const parts = [...text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== text) return undefined;
  const sum = parts.reduce(
    (total, [, number, unit]) => total + Number(number) * (nanosecondsPer[unit ?? ""] ?? 0),
    0,
  );
  return Math.round(sum);
}

const exponents = "kmgtp";

/** `64M` in bytes. Units are binary: a K is 1024. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text);
  if (match === null) return undefined;
  const exponent = exponents.indexOf((match[2] ?? "").toLowerCase()) + 1;
  return Math.floor(Number(match[1]) * 1024 ** (match[2] === "" ? 0 : exponent));
}

/** `0.5` CPUs in billionths. More than nine decimals are invalid. */
export function parseCpus(text: string): number | undefined {
  const match = /^(\d*)(?:\.(\d*))?$/.exec(text);
  const [, whole = "", fraction = ""] = match ?? [];
  if (match === null || whole + fraction === "") return undefined;
  const digits = fraction.replace(/0+$/, "");
  if (digits.length > 9) return undefined;
  return Number(whole) * 1e9 + Number(digits.padEnd(9, "0"));
}
