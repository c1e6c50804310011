/** Plain: values as YAML has them, and the forms in which stack files write some of them. */

export type Plain =
  | string
  | number
  | boolean
  | null
  | readonly Plain[]
  | { readonly [key: string]: Plain };

/** A dollar as a stack file writes it. */
export function escaped(value: Plain): Plain {
  if (typeof value === "string") return value.replaceAll("$", "$$$$");
  if (Array.isArray(value)) return value.map(escaped);
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escaped(item)]));
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `10.0.0.1 name` as `name:10.0.0.1`. */
export function hostOf(line: string): string {
  const cut = line.indexOf(" ");
  return `${line.slice(cut + 1)}:${line.slice(0, cut)}`;
}

/** Returns: `1h0m30.5s`, as Go writes a number of nanoseconds. */
export function showDuration(ns: number): string {
  if (ns === 0) return "0s";
  if (ns < 1e3) return `${ns}ns`;
  if (ns < 1e6) return `${ns / 1e3}µs`;
  if (ns < 1e9) return `${ns / 1e6}ms`;
  const minutes = Math.floor(ns / 60e9);
  const seconds = `${(ns - minutes * 60e9) / 1e9}s`;
  if (minutes === 0) return seconds;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`;
}
