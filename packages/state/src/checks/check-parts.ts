/** Checks of parts: what rows of this peer's own snapshot are looked at for, where they miss their shape. */
import { type Check, check } from "@gam/core";

/** Of each kind. More than any cluster that this program is for. */
export const objectsMax = 1_000_000;

/** A value as it came, of which only these fields are looked at. */
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
