/**
 * Check: makes sure that a value from outside has the shape that its receiver relies on.
 *
 *   const ping = object({ kind: literal("ping"), round: integer(0, 2 ** 32) });
 *   const message = ping(decode(bytes), "ping");   // typed, or GamError BAD_FRAME with the path
 *
 * Unknown fields are dropped, so a newer peer may send more than an older one reads. Only plain values
 * pass: no object with a prototype of its own, no NaN.
 */
import { GamError } from "./errors.ts";

export type Check<T> = (value: unknown, path: string) => T;
export type Checked<C> = C extends Check<infer T> ? T : never;

function refuse(path: string, wanted: string, found: unknown): never {
  throw new GamError("BAD_FRAME", `Cannot read ${path}: wanted ${wanted}, found ${shown(found)}`);
}

const shownMax = 40;

function shown(found: unknown): string {
  if (typeof found === "string") return JSON.stringify(found.slice(0, shownMax));
  if (found === null) return "null";
  return Array.isArray(found) ? "a list" : typeof found;
}

/** Whether it is a plain object. Dates, maps and bytes are objects too, but have no fields. */
function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

export function string(lengthMax = 4096): Check<string> {
  return (value, path) => {
    if (typeof value !== "string") refuse(path, "a string", value);
    if (value.length > lengthMax) refuse(path, `at most ${lengthMax} characters`, value);
    return value;
  };
}

/** `wanted` completes "wanted …" in the error. */
export function matching(pattern: RegExp, wanted: string, lengthMax = 4096): Check<string> {
  const check = string(lengthMax);
  return (value, path) => {
    const found = check(value, path);
    if (!pattern.test(found)) refuse(path, wanted, value);
    return found;
  };
}

/** Accepts what both `check` and `holds` accept. `wanted` completes "wanted …" in the error. */
export function where<T>(check: Check<T>, holds: (value: T) => boolean, wanted: string): Check<T> {
  return (value, path) => {
    const found = check(value, path);
    if (!holds(found)) refuse(path, wanted, value);
    return found;
  };
}

const anId = matching(/^[0-9a-z]{25}$/, "an id of 25 letters and digits", 25);

/** One of our ids; the caller names the type of id. */
export function id<Kind extends string>(): Check<Kind> {
  return anId as Check<Kind>;
}

export function integer(min = 0, max: number = Number.MAX_SAFE_INTEGER): Check<number> {
  return (value, path) => {
    if (typeof value !== "number" || !Number.isInteger(value)) refuse(path, "an integer", value);
    if (value < min || value > max) refuse(path, `an integer from ${min} to ${max}`, value);
    return value;
  };
}

export function number(min = 0, max: number = Number.MAX_VALUE): Check<number> {
  return (value, path) => {
    if (typeof value !== "number" || Number.isNaN(value)) refuse(path, "a number", value);
    if (value < min || value > max) refuse(path, `a number from ${min} to ${max}`, value);
    return value;
  };
}

export const boolean: Check<boolean> = (value, path) => {
  if (typeof value !== "boolean") refuse(path, "true or false", value);
  return value;
};

export function bytes(lengthMax: number): Check<Uint8Array> {
  return (value, path) => {
    if (!(value instanceof Uint8Array)) refuse(path, "bytes", value);
    if (value.length > lengthMax) refuse(path, `at most ${lengthMax} bytes`, value);
    return value;
  };
}

/** For keys, nonces and the like, whose readers rely on the length. */
export function bytesExactly(length: number): Check<Uint8Array> {
  return (value, path) => {
    if (!(value instanceof Uint8Array)) refuse(path, "bytes", value);
    if (value.length !== length) refuse(path, `${length} bytes`, `${value.length} bytes`);
    return value;
  };
}

export function literal<const T extends string | number | boolean>(...allowed: T[]): Check<T> {
  return (value, path) => {
    if (!allowed.includes(value as T)) {
      refuse(path, allowed.map((one) => `"${one}"`).join(" or "), value);
    }
    return value as T;
  };
}

export function list<T>(check: Check<T>, lengthMax: number): Check<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) refuse(path, "a list", value);
    if (value.length > lengthMax) refuse(path, `at most ${lengthMax} entries`, value);
    // Copied from the first entry that the check changes. A hole is checked like any entry.
    let copy: T[] | undefined;
    for (let at = 0; at < value.length; at += 1) {
      const one = check(value[at], `${path}[${at}]`);
      if (copy === undefined && one === value[at]) continue;
      copy ??= Array.from(value.slice(0, at)) as T[];
      copy.push(one);
    }
    return copy ?? value;
  };
}

export function optional<T>(check: Check<T>): Check<T | undefined> {
  return (value, path) => (value === undefined || value === null ? undefined : check(value, path));
}

/** For JSON whose fields are always present: null stays null. */
export function orNull<T>(check: Check<T>): Check<T | null> {
  return (value, path) => (value === null ? null : check(value, path));
}

/** `checkKey` checks the keys. Default: any short text. */
export function map<T>(
  check: Check<T>,
  sizeMax: number,
  checkKey: Check<string> = string(),
): Check<Record<string, T>> {
  return (value, path) => {
    if (!isObject(value)) refuse(path, "a map", value);
    const entries = Object.entries(value);
    if (entries.length > sizeMax) refuse(path, `at most ${sizeMax} entries`, value);
    const read = entries.map(([key, one]): [string, T] => {
      const at = `${path}.${key.slice(0, shownMax)}`;
      return [checkKey(key, at), check(one, at)];
    });
    const same = read.every(([, one], index) => one === entries[index]?.[1]);
    return same ? (value as Record<string, T>) : Object.fromEntries(read);
  };
}

type Fields = Record<string, Check<unknown>>;
type ObjectOf<F extends Fields> = { [K in keyof F]: Checked<F[K]> };

export function object<F extends Fields>(fields: F): Check<ObjectOf<F>> {
  const known = Object.entries(fields);
  return (value, path) => {
    if (!isObject(value)) refuse(path, "an object", value);
    const result: Record<string, unknown> = {};
    for (const [key, check] of known) {
      const one = check(value[key], `${path}.${key}`);
      if (one !== undefined) result[key] = one;
    }
    return result as ObjectOf<F>;
  };
}

/**
 * As object(), but returns the value itself when nothing has to be dropped. For large values, and for
 * values that are compared later, including the order of fields.
 */
export function struct<F extends Fields>(fields: F): Check<ObjectOf<F>> {
  const known = new Map(Object.entries(fields));
  return (value, path) => {
    if (!isObject(value)) refuse(path, "an object", value);
    const keys = Object.keys(value);
    // Made only if the value has to change.
    let result: Record<string, unknown> | undefined;
    let present = 0;
    for (let at = 0; at < keys.length; at += 1) {
      const key = keys[at] as string;
      const check = known.get(key);
      if (check !== undefined) present += 1;
      const found = value[key];
      const one = check === undefined ? undefined : check(found, `${path}.${key}`);
      if (result === undefined) {
        if (one === found && one !== undefined) continue;
        result = Object.fromEntries(keys.slice(0, at).map((same) => [same, value[same]]));
      }
      if (one !== undefined) result[key] = one;
    }
    if (present < known.size) {
      for (const [key, check] of known) {
        if (Object.hasOwn(value, key)) continue;
        const one = check(undefined, `${path}.${key}`);
        if (one === undefined) continue;
        result ??= { ...value };
        result[key] = one;
      }
    }
    return (result ?? value) as ObjectOf<F>;
  };
}

/** Tells the members of a union apart by their `kind`. */
export function union<T>(members: Record<string, Check<T>>): Check<T> {
  return (value, path) => {
    const kind =
      typeof value === "object" && value !== null && "kind" in value ? value.kind : value;
    const check =
      typeof kind === "string" && Object.hasOwn(members, kind) ? members[kind] : undefined;
    if (check === undefined) refuse(`${path}.kind`, Object.keys(members).join(" or "), kind);
    return check(value, path);
  };
}
