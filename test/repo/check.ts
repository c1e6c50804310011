/**
 * Check: checks this checkout by the rules in test/repo/rules.ts. `npm run check` runs it; exit 1 on a breach.
 */
import { fileURLToPath } from "node:url";
import { rules } from "./rules.ts";
import { readTree } from "./tree.ts";

const tree = readTree(fileURLToPath(new URL("../../", import.meta.url)));
let count = 0;
for (const [name, rule] of Object.entries(rules)) {
  for (const { path, line, message } of rule(tree)) {
    console.log(`${path}:${line}: ${message} [${name}]`);
    count += 1;
  }
}
console.log(count === 0 ? `Repo rules hold in ${tree.sources.size} sources` : `${count} breaches`);
process.exitCode = count === 0 ? 0 : 1;
