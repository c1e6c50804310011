/**
 * How figures are printed: one line each, with all there is to know of a sample this small.
 *
 * A figure with a target says when it misses it; with `--check` on the command line the bench then
 * ends with code 1.
 */

/** The median must be `most` at most, or `least` at least. */
export type Target = { readonly most: number } | { readonly least: number };

export function print(
  name: string,
  values: readonly number[],
  unit: string,
  target?: Target,
): void {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN;
  const show = (value: number): string =>
    value.toFixed(Number.isInteger(value) || Math.abs(value) >= 10 ? 0 : 2);
  const range = ` (min ${show(at(0))}, max ${show(at(1))}, n ${values.length})`;
  const figure = values.length === 1 ? show(at(0)) : `median ${show(at(0.5))}`;
  const verdict = target === undefined ? "" : judge(at(0.5), target);
  const line = `${name}: ${figure} ${unit}${values.length === 1 ? "" : range}${verdict}`;
  process.stdout.write(`${line}\n`);
}

function judge(median: number, target: Target): string {
  const [wanted, met] =
    "most" in target
      ? [`at most ${target.most}`, median <= target.most]
      : [`at least ${target.least}`, median >= target.least];
  if (!met && process.argv.includes("--check")) process.exitCode = 1;
  return met ? "" : ` MISSED: wanted ${wanted}`;
}
