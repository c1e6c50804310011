import type { Unsafe } from "../plan/safe-values.ts";

/** A plan, or a part of one, made by hand: nothing looks whether its values are safe. */
export function asSafe<T>(made: Unsafe<T>): T {
  return made as T;
}
