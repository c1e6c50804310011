/**
 * Sbom: writes the list of all parts to dist/sbom.json, and prints a summary. `npm run sbom`
 *
 * Exits with 1 if a part has no licence, a licence that is not allowed, or no checksum.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listParts, readPartsFiles } from "./parts.ts";

const root = join(import.meta.dirname, "..");
const { document, problems } = listParts(await readPartsFiles(root));
mkdirSync(join(root, "dist"), { recursive: true });
writeFileSync(join(root, "dist/sbom.json"), `${JSON.stringify(document, null, 2)}\n`);

const counts = (of: (part: (typeof document.components)[number]) => string): string => {
  const found = new Map<string, number>();
  for (const part of document.components) found.set(of(part), (found.get(of(part)) ?? 0) + 1);
  const sorted = [...found].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return sorted.map(([name, count]) => `${name} ${count}`).join(", ");
};
console.log(`${document.components.length} parts in dist/sbom.json (CycloneDX)`);
console.log(`  used by: ${counts(({ properties }) => properties[0]?.value ?? "")}`);
console.log(`  licences: ${counts(({ licenses }) => licenses[0]?.expression ?? "none")}`);
for (const problem of problems) console.error(`Cannot accept the list of parts: ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;
