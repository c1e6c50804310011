/**
 * Casts: decoded values are checked. The product never uses `as X` on decoded bytes or JSON, not even from
 * its own disk. A check of core or state must verify them.
 */
import type { Breach } from "./breach.ts";
import { instruments } from "./layers.ts";
import { closingOf, lineAt } from "./source.ts";
import { isTest, packageOf, type Tree } from "./tree.ts";

export function casts(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const { path, code } of tree.sources.values()) {
    const folder = packageOf(path);
    if (folder === undefined || instruments.has(folder) || isTest(path)) continue;
    for (const match of code.matchAll(/\b(?:JSON\.parse|decode|jsonOr)\(/g)) {
      const after = code.slice(closingOf(code, match.index + match[0].length - 1) + 1);
      if (!/^\s*as\s+(?!unknown\s*[;,)])/.test(after)) continue;
      const message = "decoded value is cast: read it by a check (packages/core/src/check.ts)";
      breaches.push({ path, line: lineAt(code, match.index), message });
    }
  }
  return breaches;
}
