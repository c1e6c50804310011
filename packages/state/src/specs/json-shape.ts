/**
 * JSON shape: reads a client's JSON body as a Go server would.
 *
 * Decides which fields exist and which types they have. A key means the field with this name, else the field
 * that differs from it only in case; of several keys for one field the last one counts. Drops unknown fields, and
 * treats null as absent. Leaves out what Go leaves out when it writes (empty texts, lists and maps, false, zero),
 * so that one meaning has one form. Does not decide whether values make sense.
 *
 * Errors: GamError BAD_REQUEST in the words of Go's encoding/json, which tools match on.
 */
import { GamError } from "@gam/core";
import { readGoBase64 } from "./go-base64.ts";

/** The place of a value: the innermost Go struct, and the fields from the outermost one on. */
export interface JsonPath {
  readonly struct: string;
  readonly path: string;
}

/** Returns: undefined to leave the value out. */
export type Shape<T> = (value: unknown, place: JsonPath) => T | undefined;
export type Shaped<S> = S extends Shape<infer T> ? T : never;

function goKind(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return `number ${value}`;
  return typeof value;
}

function refuse(value: unknown, place: JsonPath, wanted: string): never {
  const field = place.path === "" ? "value" : `struct field ${place.struct}.${place.path}`;
  const kind = wanted.includes("int") ? goKind(value) : (goKind(value).split(" ")[0] ?? "");
  throw new GamError(
    "BAD_REQUEST",
    `json: cannot unmarshal ${kind} into Go ${field} of type ${wanted}`,
  );
}

const absent = (value: unknown): value is null | undefined => value === null || value === undefined;

/** Empty is left out. */
export const text: Shape<string> = (value, place) => {
  if (absent(value) || value === "") return undefined;
  return typeof value === "string" ? value : refuse(value, place, "string");
};

/** A list of bytes, which Go writes as base64. Empty is left out. */
export const goBytes: Shape<Uint8Array> = (value, place) => {
  if (absent(value) || value === "") return undefined;
  if (typeof value !== "string") return refuse(value, place, "[]uint8");
  const read = readGoBase64(value);
  return read.length === 0 ? undefined : read;
};

/** False is left out. */
export const flag: Shape<boolean> = (value, place) => {
  if (absent(value) || value === false) return undefined;
  return value === true ? true : refuse(value, place, "bool");
};

/** For fields where false does not mean the same as absent. */
export const flagOrNot: Shape<boolean> = (value, place) => {
  if (absent(value)) return undefined;
  return typeof value === "boolean" ? value : refuse(value, place, "bool");
};

/** From `min` up to `end`, without `end`: a value that a client could not read back must not be stored. */
interface Range {
  readonly goType: string;
  readonly min: number;
  readonly end: number;
}

const uint64: Range = { goType: "uint64", min: 0, end: 2 ** 64 };
const int64: Range = { goType: "int64", min: -(2 ** 63), end: 2 ** 63 };

function whole({ goType, min, end }: Range, zero: boolean): Shape<number> {
  return (value, place) => {
    if (absent(value) || (value === 0 && !zero)) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value >= end) {
      return refuse(value, place, goType);
    }
    return value;
  };
}

/** Zero is left out. */
export const unsigned = whole(uint64, false);
/** For fields where zero does not mean the same as absent. */
export const unsignedOrZero = whole(uint64, true);
/** Zero is left out. */
export const signed = whole(int64, false);
/** For fields where zero does not mean the same as absent. */
export const signedOrZero = whole(int64, true);

/** Permission bits. */
export const fileMode = whole({ goType: "fs.FileMode", min: 0, end: 2 ** 32 }, true);

export const float: Shape<number> = (value, place) => {
  if (absent(value)) return undefined;
  return Number.isFinite(value) ? (value as number) : refuse(value, place, "float32");
};

/** An empty list is left out; null entries become Go's zero value. */
export function list<T>(entry: Shape<T>, empty: T, goType: string): Shape<readonly T[]> {
  return (value, place) => {
    if (absent(value)) return undefined;
    if (!Array.isArray(value)) return refuse(value, place, `[]${goType}`);
    if (value.length === 0) return undefined;
    // Not map(), which leaves holes as they are.
    return Array.from(value, (one) => entry(one, place) ?? empty);
  };
}

/** An empty list is left out. */
export const texts = list(text, "", "string");

/** A map of texts. An empty one is left out, empty values are not. */
export const labels: Shape<Readonly<Record<string, string>>> = (value, place) => {
  if (absent(value)) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) {
    return refuse(value, place, "map[string]string");
  }
  const entries = Object.entries(value).map(([key, one]) => [key, text(one, place) ?? ""] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
};

/** Docker's own structs are a few levels deep. Deeper values could exhaust the stack when they are compared. */
const opaqueLevelsMax = 16;

/** Whether a value is plain JSON and not too deep. */
function isPlain(value: unknown, levels = opaqueLevelsMax): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  const isKnown = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
  return isKnown && levels > 0 && Object.values(value).every((one) => isPlain(one, levels - 1));
}

/** Kept unchanged: its content has no meaning here yet, and must survive a round trip. */
export const opaque: Shape<Readonly<Record<string, unknown>>> = (value, place) => {
  if (absent(value)) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) return refuse(value, place, "struct");
  if (!isPlain(value)) throw new GamError("BAD_REQUEST", "json: exceeded max depth");
  const kept = Object.entries(value).filter(([, one]) => !absent(one) && one !== false);
  return Object.fromEntries(kept);
};

type Fields = Record<string, Shape<unknown>>;
type StructOf<F extends Fields> = { readonly [K in keyof F]?: Shaped<F[K]> };

/**
 * Returns: a function from the key of a client to the name of the field that Go's encoding/json assigns;
 * `undefined` for an unknown key.
 */
export function goFields(names: readonly string[]): (key: string) => string | undefined {
  const exact = new Set(names);
  const folded = new Map(names.map((name) => [foldCase(name), name]));
  return (key) => (exact.has(key) ? key : folded.get(foldCase(key)));
}

/** Go also takes U+212A for k, which toLowerCase() does, and U+017F for s, which it does not. */
function foldCase(key: string): string {
  return key.toLowerCase().replaceAll("\u017f", "s");
}

/** A struct behind a pointer: present but empty is not the same as absent. */
export function struct<F extends Fields>(goType: string, fields: F): Shape<StructOf<F>> {
  const shapes = Object.entries(fields);
  const fieldOf = goFields(Object.keys(fields));
  return (value, place) => {
    if (absent(value)) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) return refuse(value, place, goType);
    const found = new Map<string | undefined, unknown>();
    for (const [key, one] of Object.entries(value)) found.set(fieldOf(key), one);
    const result: Record<string, unknown> = {};
    for (const [name, shape] of shapes) {
      const here = found.get(name);
      if (absent(here)) continue; // Every shape would leave it out.
      const path = place.path === "" ? name : `${place.path}.${name}`;
      const one = shape(here, { struct: goType, path });
      if (one !== undefined) result[name] = one;
    }
    return result as StructOf<F>;
  };
}

/** Reads the whole body. A null body reads as an empty one, as in Go. */
export function readBody<T>(shape: Shape<T>, body: unknown): T {
  const root = { struct: "", path: "" };
  const read = shape(body, root) ?? shape({}, root);
  if (read === undefined) throw new GamError("BAD_REQUEST", "got EOF while reading request body");
  return read;
}
