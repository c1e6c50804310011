/**
 * Prints figures: one line each, with the median, range and size of the sample.
 *
 * Targets are ratios to a comparison in the same round, since a time alone depends as much on the
 * machine as on gam. A figure that misses its target is marked. With `--check` on the command line the
 * bench then exits with code 1.
 */
import { median } from "../../lab/load/bare.ts";

/** The median must be at most `most`, or at least `least`. */
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

/** Prints the ratio of `ours` to `theirs`, round by round. Shape: one value of each per round. */
export function printRatio(
  name: string,
  ours: readonly number[],
  theirs: readonly number[],
  target?: Target,
): void {
  const ratios = ours.map((value, round) => value / (theirs[round] ?? Number.NaN));
  print(name, ratios, "times", target);
}

/** Prints `count` of `of`. A target of 0 is the same for fast and slow machines. */
export function printCount(name: string, count: number, of: number, target?: Target): void {
  print(name, [count], `of ${of}`, target);
}

/** The value, with two decimals if it is below 10 and not whole. */
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
