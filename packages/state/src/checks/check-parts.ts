/**
 * Checks of parts: the minimum that rows of this peer's own snapshot must have when they do not fit their
 * shape.
 */
import { type Check, check } from "@gam/core";

/** Maximum of objects of each kind; more than in any cluster that gam is made for. */
export const objectsMax = 1_000_000;

/** Returns: a check that examines only these fields and keeps the value unchanged. */
export function keeping(fields: Record<string, Check<unknown>>): Check<unknown> {
  const look = check.object(fields);
  return (value, path) => {
    look(value, path);
    return value;
  };
}

export const anything = keeping({});
export const someList = check.list(() => undefined, objectsMax);
export const shortText = check.string(64);
export const texts = check.map(check.string(2 ** 21), 2 ** 20);
