/**
 * Even spread: whether counts could well be those of a fair choice.
 *
 * Source: Pearson's chi-square test; the bound by Wilson and Hilferty's approximation (1931), which is
 * right to 0.1 % from 3 degrees of freedom on.
 */

/** 1 % of fair choices are called uneven. */
const oneInHundred = 2.3263;

export interface Spread {
  readonly chiSquare: number;
  /** Fair choices stay below it 99 times in 100. */
  readonly bound: number;
  readonly even: boolean;
}

/** `counts` has a number for each of those who could be chosen, also where that is 0. */
export function spreadOf(counts: readonly number[]): Spread {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const freedom = counts.length - 1;
  const step = 2 / (9 * freedom);
  const bound = freedom * (1 - step + oneInHundred * Math.sqrt(step)) ** 3;
  return { chiSquare, bound, even: chiSquare <= bound };
}
