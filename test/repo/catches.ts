/**
 * Catches: no catch swallows a broken invariant.
 *
 * A catch in the product rethrows errors that it does not name (`throw thrown`), passes them on
 * (`fail(thrown)`, `reject(thrown)`), or begins with `rethrowInvariant(thrown)`. A catch that must keep
 * every error says why in a comment: `// Catches all: …`, in its body or on the line before.
 */
import type { Breach } from "./breach.ts";
import { instruments } from "./layers.ts";
import { closingOf, lineAt, type Source } from "./source.ts";
import { isTest, packageOf, type Tree } from "./tree.ts";

const clause = /(?<!\.)\bcatch\b\s*(?:\(\s*([\w$]+)[^)]*\)\s*)?\{|\.catch\(/g;

export function catches(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const source of tree.sources.values()) {
    const folder = packageOf(source.path);
    if (folder === undefined || instruments.has(folder) || isTest(source.path)) continue;
    for (const match of source.code.matchAll(clause)) {
      if (isFine(source, match)) continue;
      const message =
        "this catch swallows a broken invariant: name what it is for and throw the rest, or call rethrowInvariant()";
      breaches.push({ path: source.path, line: lineAt(source.code, match.index), message });
    }
  }
  return breaches;
}

function isFine({ code, comments }: Source, match: RegExpExecArray): boolean {
  const open = match.index + match[0].length - 1;
  const end = closingOf(code, open);
  const body = code.slice(open + 1, end);
  const isCall = code[open] === "(";
  // A named function is assumed to be used on purpose, so it is not checked here.
  if (isCall && /^\s*[\w$.#]+\s*$/.test(body)) return true;
  const lineBefore = code.lastIndexOf("\n", code.lastIndexOf("\n", match.index) - 1);
  if (/Catches all: \S/.test(comments.slice(Math.max(0, lineBefore), end))) return true;
  const name = isCall ? /^\s*(?:async\s*)?\(?\s*([\w$]+)/.exec(body)?.[1] : match[1];
  if (name === undefined) return false;
  const onward = new RegExp(`\\bthrow ${name};|\\b(?:rethrowInvariant|fail|reject)\\(${name}\\)`);
  return onward.test(body);
}
