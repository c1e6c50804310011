/**
 * How figures are printed: one line each, with all there is to know of a sample this small.
 *
 * Targets are ratios to what was measured beside, in the same round: a time alone says as much of the
 * machine as of gam. A figure that misses its target says so; with `--check` on the command line the
 * bench then ends with code 1.
 */
import { median } from "../../lab/load/bare.ts";

/** The median must be `most` at most, or `least` at least. */
export type Target = { readonly most: number } | { readonly least: number };

export function print(
  name: string,
  values: readonly number[],
  unit: string,
  target?: Target,
): void {
  const middle = median(values);
  const range = `(min ${show(Math.min(...values))}, max ${show(Math.max(...values))}, n ${values.length})`;
  const figure = values.length === 1 ? show(middle) : `median ${show(middle)}`;
  const words = [`${name}: ${figure} ${unit}`, ...(values.length === 1 ? [] : [range])];
  process.stdout.write(`${words.join(" ")}${target === undefined ? "" : judge(middle, target)}\n`);
}

/** Prints how many times `theirs` `ours` is, round by round. Shape: one value of each a round. */
export function printRatio(
  name: string,
  ours: readonly number[],
  theirs: readonly number[],
  target?: Target,
): void {
  const ratios = ours.map((value, round) => value / (theirs[round] ?? Number.NaN));
  print(name, ratios, "times", target);
}

/** Prints how many of so many it was. A target of 0 asks the same of a fast machine and of a slow one. */
export function printCount(name: string, count: number, of: number, target?: Target): void {
  print(name, [count], `of ${of}`, target);
}

/** Two decimals where they matter: below 10, and not for a whole number. */
function show(value: number): string {
  return value.toFixed(Number.isInteger(value) || Math.abs(value) >= 10 ? 0 : 2);
}

function judge(middle: number, target: Target): string {
  const [wanted, met] =
    "most" in target
      ? [`at most ${target.most}`, middle <= target.most]
      : [`at least ${target.least}`, middle >= target.least];
  if (!met && process.argv.includes("--check")) process.exitCode = 1;
  return met ? ` (wanted ${wanted})` : ` MISSED: wanted ${wanted}`;
}
