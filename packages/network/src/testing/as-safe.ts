import type { Unsafe } from "../plan/safe-values.ts";

/** A plan, or a part of one, made by hand: its values are not checked. */
export function asSafe<T>(made: Unsafe<T>): T {
  return made as T;
}
