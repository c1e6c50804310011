/**
 * Units: parses sizes and shares of a CPU in stack files.
 *
 * Each function returns `undefined` for an invalid text. Source: what the docker client accepts, with binary units
 * of memory.
 */

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
