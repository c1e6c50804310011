/** Expand: from the text of a template and its data to a text. */
import { functions as builtIn, type GoFunction } from "./functions.ts";
import { Budget } from "./limits.ts";
import { parse } from "./parse.ts";
import { Run } from "./run.ts";
import { TemplateError } from "./template-error.ts";
import type { Value } from "./value.ts";

export interface Expansion {
  /** Name of the template in messages. */
  readonly name: string;
  readonly data: Value;
  /** By name, beside Go's own. */
  readonly functions: ReadonlyMap<string, GoFunction>;
  /** Absent: as much as one template may cost. */
  readonly budget?: Budget;
}

/** Functions that run.ts knows by itself. */
const special = ["and", "or", "call"];

type Reading = Pick<Expansion, "name" | "functions">;

function read(text: string, { name, functions }: Reading) {
  const all = new Map([...builtIn, ...functions]);
  return { all, template: parse(text, name, new Set([...all.keys(), ...special])) };
}

function problem(name: string, thrown: unknown): { readonly error: string } {
  if (!(thrown instanceof TemplateError)) throw thrown;
  return { error: `template: ${name}:${thrown.message}` };
}

/**
 * Expands a Go text (go-text.ts).
 *
 * Returns: the Go text, or why it does not expand, in Go's words.
 */
export function expand(
  text: string,
  expansion: Expansion,
): { readonly text: string } | { readonly error: string } {
  // Fast path: most texts are not templates.
  if (!text.includes("{{")) return { text };
  try {
    const { all, template } = read(text, expansion);
    const { data, budget = new Budget() } = expansion;
    return { text: new Run(template, all, budget).all(data) };
  } catch (thrown) {
    return problem(expansion.name, thrown);
  }
}

/** Returns: why a text is no template whatever its data, in Go's words; undefined if it is one. */
export function parseProblem(text: string, reading: Reading): string | undefined {
  try {
    read(text, reading);
    return undefined;
  } catch (thrown) {
    return problem(reading.name, thrown).error;
  }
}
