/**
 * Read once: reads equal values one time and shares the result.
 *
 * The tasks of a service carry equal specs, thousands of them in one entry or snapshot. Only values with a
 * unique JSON text are looked up. The result must not depend on what was read before, or peers that have seen
 * different values would have different states.
 */
import type { Check } from "@gam/core";

/** About the number of different specs in use at a time. */
const textsMax = 256;

export function readOnce<T extends object>(check: Check<T>): Check<T> {
  const read = new Map<string, T>();
  return (value, path) => {
    if (!isTold(value)) return check(value, path);
    const text = JSON.stringify(value);
    const known = read.get(text);
    if (known !== undefined) return known;
    const found = check(value, path);
    if (read.size >= textsMax) read.clear();
    read.set(text, found);
    return found;
  };
}

/** Whether JSON has a unique text for this value. */
function isTold(value: unknown, levels = 32): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object": {
      if (value === null) return true;
      if (levels === 0) return false;
      // Not every(), which skips holes.
      if (Array.isArray(value)) {
        for (let at = 0; at < value.length; at += 1) {
          if (!isTold(value[at], levels - 1)) return false;
        }
        return true;
      }
      if (Object.getPrototypeOf(value) !== Object.prototype) return false;
      for (const key in value) {
        if (!isTold((value as Record<string, unknown>)[key], levels - 1)) return false;
      }
      return true;
    }
    default:
      return false;
  }
}
