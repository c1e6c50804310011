/**
 * Go keys: gives the fields of a body that is passed on the names by which they are read here.
 *
 * The engine finds fields without regard to case, so a client may write `networkingconfig`. Code that changes such a
 * body must find the same fields. All other fields stay as they are.
 */
import { goFields } from "@gam/state";
import { type Fields, fieldsOf } from "./fields.ts";

/** The known fields of an object, each with those of its own value. `eachValue` is for maps: all keys stay. */
export interface GoKeys {
  readonly [name: string]: GoKeys | null;
}

/** The only name in the GoKeys of a map. */
const anyKey = "*";

/** Returns: the GoKeys of a map, whose keys are the client's and whose values have these fields. */
export function eachValue(keys: GoKeys): GoKeys {
  return { [anyKey]: keys };
}

/** Returns: the same body with known names. Of several keys for one field the last one counts, as in Go. */
export function withGoKeys(body: Fields, keys: GoKeys): Fields {
  const { [anyKey]: values = null } = keys;
  const fieldOf = values === null ? goFields(Object.keys(keys)) : () => undefined;
  const found = new Map<string, unknown>();
  for (const [key, value] of Object.entries(body)) {
    const name = fieldOf(key) ?? key;
    const inner = values ?? keys[name] ?? null;
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    found.set(name, inner === null || !isObject ? value : withGoKeys(fieldsOf(value), inner));
  }
  return Object.fromEntries(found);
}
