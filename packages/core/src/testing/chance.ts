import { assert } from "../assert.ts";
import type { Mint, Random } from "../doors.ts";

/**
 * Repeatable randomness: same seed, same numbers, on every machine.
 *
 * Shape:  any 32-bit seed except 0, which this generator cannot leave.
 * Errors: BrokenInvariant on a bad seed or bound.
 * Source: Marsaglia, "Xorshift RNGs" (2003), the triple 13, 17, 5.
 */
export function seededRandom(seed: number): Random {
  assert((seed | 0) !== 0, "seed must not be 0");
  let word = seed | 0;
  return {
    below(bound) {
      assert(Number.isInteger(bound) && bound > 0, "bound must be a positive integer");
      word ^= word << 13;
      word ^= word >>> 17;
      word ^= word << 5;
      // The remainder favours small numbers a little, which Random allows.
      return (word >>> 0) % bound;
    },
  };
}

/** Ids in order: `prefix` and a number, padded to the 25 characters of a real one. */
export function counterMint(prefix: string): Mint {
  let next = 0;
  return {
    id() {
      next += 1;
      return prefix + String(next).padStart(25 - prefix.length, "0");
    },
  };
}
