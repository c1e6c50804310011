/**
 * Marks: takes `!reset` and `!override` out of a file.
 *
 * Both remove a key from what earlier files, `include` and `extends` say. `!reset` removes its own value as well.
 * Source: the Compose specification, "Merge".
 */
import type { Problem } from "./problem.ts";
import type { MapEntry, Value } from "./value.ts";

/** The keys from the top of a file to a marked value. */
export type Path = readonly string[];

export interface Unmarked {
  readonly value: Value;
  readonly cleared: readonly Path[];
}

export function takeMarks(value: Value, errors: Problem[]): Unmarked {
  const cleared: Path[] = [];
  const finder = new MarkFinder();
  const take = (item: Value, path: Path): Value => {
    if (!finder.isWithin(item)) return item;
    if (item.kind === "scalar") return item;
    if (item.kind === "list") {
      for (const inner of item.items) {
        if (!finder.isWithin(inner)) continue;
        const message = "found a tag inside of a list: write !reset or !override at a key";
        errors.push({ at: inner.at, message });
      }
      return item;
    }
    const entries = new Map<string, MapEntry>();
    for (const [key, entry] of item.entries) {
      const inner = [...path, key];
      if (entry.value.mark !== undefined) cleared.push(inner);
      if (entry.value.mark === "reset") continue;
      entries.set(key, { at: entry.at, value: take(entry.value, inner) });
    }
    return { ...item, entries };
  };
  return { value: take(value, []), cleared };
}

/** Finds marks once in each value, also in those that many aliases share. */
class MarkFinder {
  readonly #known = new Map<Value, boolean>();

  isWithin(value: Value): boolean {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const found =
      value.mark !== undefined || this.#parts(value).some((part) => this.isWithin(part));
    this.#known.set(value, found);
    return found;
  }

  #parts(value: Value): readonly Value[] {
    if (value.kind === "list") return value.items;
    return value.kind === "map" ? [...value.entries.values()].map((entry) => entry.value) : [];
  }
}

/** Returns: a copy of nested records without the value at this path. */
export function without<T extends object>(record: T, path: Path): T {
  const [key, ...rest] = path;
  if (key === undefined) return record;
  const entries = Object.entries(record).flatMap(([name, value]): [string, unknown][] => {
    if (name !== key) return [[name, value]];
    const isInner = typeof value === "object" && value !== null && !Array.isArray(value);
    if (rest.length === 0) return [];
    return [[name, isInner ? without(value, rest) : value]];
  });
  return Object.fromEntries(entries) as T;
}
