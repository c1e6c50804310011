/**
 * Read: small readers that give YAML values their meaning, and functions that combine them into larger ones.
 *
 *   const readHealth = record({ test: words, interval: duration });
 *   const health = readHealth(value, context);   // typed; `undefined` when it could not be read
 *
 * A reader records errors in the context and continues, so an author sees every mistake at once.
 * Variables are filled in when a text is read, so keys that are never read (`x-…`) may hold anything.
 */
import { nearest, parseDuration } from "@gam/core";
import { type Environment, interpolate } from "./interpolate.ts";
import type { Problem, SourcePosition } from "./problem.ts";
import { parseBytes, parseCpus } from "./units.ts";
import type { ScalarValue, Value } from "./value.ts";
import { splitWords } from "./words.ts";

export interface Context {
  readonly environment: Environment;
  readonly errors: Problem[];
  readonly warnings: Problem[];
  /** Absolute: where the relative paths of this file begin. */
  readonly folder: string;
  /** Returns: the bytes of the file at this absolute path; `undefined` if there is none. */
  readonly readFile: (path: string) => Uint8Array | undefined;
}

export type Read<T> = (value: Value, context: Context) => T | undefined;
type ReadBy<R> = R extends Read<infer T> ? T : never;

function fail(value: Value, context: Context, message: string): undefined {
  context.errors.push({ at: value.at, message });
  return undefined;
}

function found(value: Value): string {
  if (value.kind !== "scalar") return `a ${value.kind}`;
  return value.type === "nothing" ? "nothing" : JSON.stringify(value.source);
}

export function isNothing(value: Value): boolean {
  return value.kind === "scalar" && value.type === "nothing";
}

const unsetTitle = 'variables that are not set are read as ""';
const numberTitle = "numbers that change their form: put them in quotes to keep it";

/** Returns: the text of a scalar with its variables filled in. */
function textOf(value: ScalarValue, context: Context): string | undefined {
  return filled(value, context)?.text;
}

function filled(
  value: ScalarValue,
  context: Context,
): { readonly text: string; readonly unset: readonly string[] } | undefined {
  if (value.type !== "text") return { text: value.text, unset: [] };
  const result = interpolate(value.text, context.environment);
  if (!result.ok) return fail(value, context, result.message);
  for (const name of result.unset) {
    const message = `variable "${name}" is not set: it is read as ""`;
    context.warnings.push({ at: value.at, message, topic: { title: unsetTitle, item: name } });
  }
  return result;
}

/**
 * Reads a scalar with `parse`, which returns `undefined` for a wrong text and `null` for one that stands for
 * nothing. `wanted` names the expected form in errors.
 */
function parsed<T>(wanted: string, parse: (text: string) => T | null | undefined): Read<T> {
  return (value, context) => {
    if (value.kind !== "scalar")
      return fail(value, context, `wanted ${wanted}, found ${found(value)}`);
    const text = textOf(value, context);
    if (text === undefined) return undefined;
    const result = parse(text);
    if (result !== undefined) return result ?? undefined;
    return fail(value, context, `wanted ${wanted}, found ${JSON.stringify(text)}`);
  };
}

export const text: Read<string> = (value, context) => {
  if (value.kind !== "scalar") return fail(value, context, `wanted a text, found ${found(value)}`);
  if (value.type === "boolean") {
    return fail(value, context, `wanted a text, found ${value.source}: put it in quotes`);
  }
  if (value.type !== "text" && value.type !== "nothing" && value.text !== value.source) {
    const kind = value.type === "time" ? "a point in time" : "a number";
    const message = `${value.source} is ${kind} and is read as ${value.text}: put it in quotes to keep it`;
    const topic = { title: numberTitle, item: `${value.source} (${value.text})` };
    context.warnings.push({ at: value.at, message, topic });
  }
  return textOf(value, context);
};

export const integer = parsed("a whole number", (word) =>
  /^\d{1,15}$/.test(word) ? Number(word) : undefined,
);

/** A whole number that may be negative. */
export const signedInteger = parsed("a whole number", (word) =>
  /^-?\d{1,15}$/.test(word) ? Number(word) : undefined,
);

/** The mode of a file: a number such as 0440, or the same digits in quotes. Both are octal. */
export const fileMode: Read<number> = (value, context) => {
  const mode = parsed("a mode such as 0440", (word) => {
    if (!/^0?o?\d{1,6}$/.test(word)) return undefined;
    if (value.kind === "scalar" && value.type === "integer") return Number(word);
    return /^0?o?[0-7]+$/.test(word) ? Number.parseInt(word.replace("o", ""), 8) : undefined;
  })(value, context);
  return mode;
};

export const ratio = parsed("a number from 0 to 1", (word) =>
  /^[\d.]+$/.test(word) && Number(word) <= 1 ? Number(word) : undefined,
);

export const boolean = parsed("true or false", (word) => {
  if (/^(?:y|yes|true|on)$/i.test(word)) return true;
  return /^(?:n|no|false|off)$/i.test(word) ? false : undefined;
});

/** In nanoseconds. */
export const duration = parsed("a duration such as 1m30s", parseDuration);
export const bytes = parsed("a size such as 64M", parseBytes);
/** In billionths of a CPU. */
export const cpus = parsed('a number of CPUs such as "0.5"', (word) =>
  word === "" ? null : parseCpus(word),
);

/** One of these words. An empty text, such as that of an unset variable, stands for none, as for the client. */
export function oneOf<const T extends string>(...allowed: T[]): Read<T> {
  const wanted = allowed.length === 1 ? `${allowed[0]}` : `one of ${allowed.join(", ")}`;
  return parsed(wanted, (word) => (word === "" ? null : allowed.find((one) => one === word)));
}

export function list<T>(read: Read<T>): Read<T[]> {
  return (value, context) => {
    if (value.kind !== "list") return fail(value, context, `wanted a list, found ${found(value)}`);
    return value.items.flatMap((item) => read(item, context) ?? []);
  };
}

/** A text stands for a list of one. */
export const texts: Read<string[]> = (value, context) =>
  value.kind === "scalar" ? one(text(value, context)) : list(text)(value, context);

function one<T>(item: T | undefined): T[] | undefined {
  return item === undefined ? undefined : [item];
}

/** A list of arguments, or a command line to split. */
export const words: Read<string[]> = (value, context) =>
  value.kind === "scalar"
    ? parsed("a command whose quotes are closed", splitWords)(value, context)
    : list(text)(value, context);

/** Reads each entry of a map, given its key. */
export function mapOf<T>(read: (value: Value, context: Context, key: string) => T | undefined) {
  return (value: Value, context: Context): Record<string, T> | undefined => {
    if (value.kind !== "map") return fail(value, context, `wanted a map, found ${found(value)}`);
    return Object.fromEntries(
      [...value.entries].flatMap(([key, entry]): [string, T][] => {
        const item = read(entry.value, context, key);
        return item === undefined ? [] : [[key, item]];
      }),
    );
  };
}

/** A map of texts, or a list of `key=value`. A key without a value is `null`. */
export const pairs: Read<Record<string, string | null>> = (value, context) => {
  if (value.kind === "map") {
    return mapOf((item, inner) => (isNothing(item) ? null : text(item, inner)))(value, context);
  }
  const result: Record<string, string | null> = {};
  for (const item of list(text)(value, context) ?? []) {
    const at = item.indexOf("=");
    if (at < 0) result[item] = null;
    else result[item.slice(0, at)] = item.slice(at + 1);
  }
  return result;
};

/** Like `pairs`, but a key without a value has an empty text. */
export const labels: Read<Record<string, string>> = (value, context) => {
  const found = pairs(value, context);
  if (found === undefined) return undefined;
  return Object.fromEntries(Object.entries(found).map(([key, item]) => [key, item ?? ""]));
};

/** A value together with where it stands, for what can only be judged later. */
export interface Placed<T> {
  readonly at: SourcePosition;
  readonly value: T;
}

export function placed<T>(read: Read<T>): Read<Placed<T>> {
  return (value, context) => {
    const item = read(value, context);
    return item === undefined ? undefined : { at: value.at, value: item };
  };
}

export interface Filled extends Placed<string> {
  /** Variables in it that are not set. */
  readonly unset: readonly string[];
}

/** A text that is judged later, together with the variables that it lacks. */
export const filledText: Read<Filled> = (value, context) => {
  if (value.kind !== "scalar") return fail(value, context, `wanted a text, found ${found(value)}`);
  const result = filled(value, context);
  return result && { at: value.at, value: result.text, unset: result.unset };
};

type Fields = Readonly<Record<string, Read<unknown>>>;
export type RecordOf<F extends Fields> = { readonly at: SourcePosition } & {
  readonly [K in keyof F]?: ReadBy<F[K]>;
};

export interface RecordOptions {
  /** Keys that change nothing, with the reason or the advice. */
  readonly ignored?: Readonly<Record<string, string>>;
  /** Keys that cannot be followed, with the advice. */
  readonly refused?: Readonly<Record<string, string>>;
}

/** Reads a map with known keys. `x-…` may hold anything; a key without a value counts as absent. */
export function record<F extends Fields>(fields: F, options: RecordOptions = {}) {
  const { ignored = {}, refused = {} } = options;
  const known = [...Object.keys(fields), ...Object.keys(ignored), ...Object.keys(refused)];
  return (value: Value, context: Context): RecordOf<F> | undefined => {
    if (value.kind !== "map") return fail(value, context, `wanted a map, found ${found(value)}`);
    const result: Record<string, unknown> = { at: value.at };
    for (const [key, { at, value: item }] of value.entries) {
      if (key.startsWith("x-")) continue;
      if (Object.hasOwn(refused, key)) {
        context.errors.push({ at, message: `"${key}" is not supported: ${refused[key]}` });
      } else if (Object.hasOwn(ignored, key)) {
        context.warnings.push({ at, message: `"${key}" is ignored: ${ignored[key]}` });
      } else if (Object.hasOwn(fields, key)) {
        if (!isNothing(item)) result[key] = fields[key]?.(item, context);
      } else {
        const near = nearest(key, known);
        const advice = near === undefined ? "" : `, did you mean "${near}"`;
        context.errors.push({ at, message: `unknown key "${key}"${advice}` });
      }
    }
    return result as RecordOf<F>;
  };
}

/** Reads scalars one way and everything else another: the short and the long form of an entry. */
export function shortOrLong<S, L>(short: Read<S>, long: Read<L>): Read<S | L> {
  return (value, context) =>
    value.kind === "scalar" ? short(value, context) : long(value, context);
}
