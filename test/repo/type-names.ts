/**
 * Type names: one word for one thing. No other exported type in any package has the same name.
 *
 * Exceptions are the parts that every machine has under the same names.
 */
import type { Breach } from "./breach.ts";
import { packageOf, type Tree } from "./tree.ts";

const ofEveryMachine: ReadonlySet<string> = new Set(["Input", "Effect", "Message"]);

export function typeNames(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  const homes = new Map<string, string>();
  for (const { path, types } of tree.sources.values()) {
    const folder = packageOf(path);
    if (folder === undefined) continue;
    for (const { name, line } of types) {
      if (ofEveryMachine.has(name)) continue;
      const home = homes.get(name) ?? path;
      homes.set(name, home);
      if (packageOf(home) === folder) continue;
      const message = `"${name}" is the name of another exported type (${home}): name what this one is`;
      breaches.push({ path, line, message });
    }
  }
  return breaches;
}
