/**
 * Even spread: whether counts fit a fair random choice.
 *
 * Source: Pearson's chi-square test; the bound by Wilson and Hilferty's approximation (1931), which
 * is accurate to 0.1 % from 3 degrees of freedom on.
 */

/** Quantile by which 1 % of fair choices count as uneven. */
const oneInHundred = 2.3263;

export interface Spread {
  readonly chiSquare: number;
  /** Of fair choices, 99 in 100 stay below it. */
  readonly bound: number;
  readonly even: boolean;
}

/** `counts`: a number for each possible choice, even if it is 0. */
export function spreadOf(counts: readonly number[]): Spread {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const freedom = counts.length - 1;
  const step = 2 / (9 * freedom);
  const bound = freedom * (1 - step + oneInHundred * Math.sqrt(step)) ** 3;
  return { chiSquare, bound, even: chiSquare <= bound };
}
