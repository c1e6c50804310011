/**
 * Filters: the `filters` of a list call.
 *
 * Decides their syntax: `{"name":{"web":true}}`, or in the old form `{"name":["web"]}`. Values of one key
 * are alternatives, all keys must hold, and all labels must match. Does not decide what a key means: each
 * list does.
 *
 * Errors: ApiError 500 for invalid JSON, 400 for a key that the list does not know.
 */
import { GamError } from "@gam/core";
import { ApiError } from "./api-error.ts";
import { parseGoJson } from "./go-json.ts";

export class Filters {
  readonly #values = new Map<string, readonly string[]>();

  constructor(text: string | undefined, known: readonly string[] | "any") {
    if (text === undefined || text === "") return;
    const parsed = parse(text);
    for (const [key, values] of Object.entries(parsed)) {
      if (known !== "any" && !known.includes(key)) {
        throw new ApiError(400, `Invalid filter '${key}'`);
      }
      this.#values.set(key, valuesOf(values));
    }
  }

  has(key: string): boolean {
    return this.values(key).length > 0;
  }

  values(key: string): readonly string[] {
    return this.#values.get(key) ?? [];
  }

  /** Returns: whether `holds` is true for one of the key's values, or the key is absent. */
  some(key: string, holds: (value: string) => boolean): boolean {
    const values = this.values(key);
    return values.length === 0 || values.some(holds);
  }

  prefix(key: string, ...texts: readonly string[]): boolean {
    return this.some(key, (value) => texts.some((text) => text.startsWith(value)));
  }

  exact(key: string, ...texts: readonly string[]): boolean {
    return this.some(key, (value) => texts.includes(value));
  }

  /**
   * Returns: whether one of the key's values, as a regular expression, matches one of the texts. The engine's
   * own lists work so, and scripts ask for `^name$`. An expression that could take long, or is none, is a part of
   * the text.
   */
  pattern(key: string, ...texts: readonly string[]): boolean {
    return this.some(key, (value) => {
      const expression = expressionOf(value);
      return texts.some((text) => expression?.test(text) ?? text.includes(value));
    });
  }

  /**
   * Returns: the key's values in lower case, without empty ones.
   *
   * Errors: ApiError 500 for a value that is not `known`, as in Swarm.
   */
  words<T extends string>(key: string, known: readonly T[]): readonly T[] {
    return this.values(key).flatMap((value) => {
      if (value === "") return [];
      const word = known.find((one) => one === value.toLowerCase());
      if (word === undefined) throw new ApiError(500, `Invalid ${key} filter: '${value}'`);
      return [word];
    });
  }

  /** As labels(), for objects of the cluster: there an empty value means any value. */
  clusterLabels(key: string, labels: Readonly<Record<string, string>> | undefined): boolean {
    return this.values(key).every((value) => {
      const [, name = "", wanted = ""] = /^([^=]*)=?(.*)$/s.exec(value) ?? [];
      if (labels === undefined || !Object.hasOwn(labels, name)) return false;
      return wanted === "" || labels[name] === wanted;
    });
  }

  labels(key: string, labels: Readonly<Record<string, string>> | undefined): boolean {
    return this.values(key).every((value) => {
      const at = value.indexOf("=");
      const name = at < 0 ? value : value.slice(0, at);
      if (labels === undefined || !Object.hasOwn(labels, name)) return false;
      return at < 0 || labels[name] === value.slice(at + 1);
    });
  }
}

const quantifiersMax = 3;

/** Returns: undefined for an expression whose matching could take more than some steps for each letter. */
function expressionOf(value: string): RegExp | undefined {
  const quantifiers = value.match(/[*+?{]/g)?.length ?? 0;
  if (quantifiers > quantifiersMax || /\)[*+?{]|\(\?|\\[\dk]/.test(value)) return undefined;
  try {
    return new RegExp(value, "u");
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return undefined;
  }
}

function parse(text: string): object {
  let parsed: unknown;
  try {
    parsed = parseGoJson(text);
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    throw new ApiError(500, thrown.message, { cause: thrown });
  }
  if (parsed === null) return {};
  if (typeof parsed !== "object" || Array.isArray(parsed))
    throw new ApiError(400, "invalid filter");
  return parsed;
}

/** Refuses objects, whose own toString() could return or throw anything. */
function textOf(value: unknown): string {
  if (typeof value === "object" && value !== null) throw new ApiError(400, "invalid filter");
  return String(value);
}

function valuesOf(values: unknown): readonly string[] {
  if (Array.isArray(values)) return values.map(textOf);
  if (typeof values !== "object" || values === null) throw new ApiError(400, "invalid filter");
  return Object.entries(values)
    .filter(([, wanted]) => wanted === true)
    .map(([value]) => value);
}
