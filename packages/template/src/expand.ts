/** Expand: from the text of a template and its data to a text. */

import { Expander } from "./expander.ts";
import { functions as builtIn, type GoFunction } from "./functions.ts";
import type { GoValue } from "./go-value.ts";
import { Budget } from "./limits.ts";
import { parse } from "./parse.ts";
import { TemplateError } from "./template-error.ts";

export interface Expansion {
  /** Name of the template in messages. */
  readonly name: string;
  readonly data: GoValue;
  /** By name, beside Go's own. */
  readonly functions: ReadonlyMap<string, GoFunction>;
  /** Absent: as much as one template may cost. */
  readonly budget?: Budget;
}

/** Functions that expander.ts knows by itself. */
const special = ["and", "or", "call"];

type Reading = Pick<Expansion, "name" | "functions">;

function read(text: string, { name, functions }: Reading) {
  const all = new Map([...builtIn, ...functions]);
  return { all, template: parse(text, name, new Set([...all.keys(), ...special])) };
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
    return { text: new Expander(template, all, budget).all(data) };
  } catch (thrown) {
    if (!(thrown instanceof TemplateError)) throw thrown;
    return { error: `template: ${expansion.name}:${thrown.message}` };
  }
}

/** Returns: why a text is no template whatever its data, in Go's words; undefined if it is one. */
export function parseProblem(text: string, reading: Reading): string | undefined {
  try {
    read(text, reading);
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof TemplateError)) throw thrown;
    return `template: ${reading.name}:${thrown.message}`;
  }
}
