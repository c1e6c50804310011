/**
 * Counts the phrases of plain-words.ts, by package. Only prints.
 *
 *   npm run words                     the counts
 *   npm run words -- packages/state   also every place below a folder or in a file
 */
import { fileURLToPath } from "node:url";
import { type Found, findPhrases, phrases } from "./plain-words.ts";
import { readTree } from "./tree.ts";

const [folder, ...others] = process.argv.slice(2);
if (others.length > 0 || folder?.startsWith("-")) {
  console.error("words: wants nothing, or one path such as packages/state");
  process.exit(2);
}

function counts(found: readonly Found[], of: (one: Found) => string): [string, number][] {
  const byName = new Map<string, number>();
  for (const one of found) byName.set(of(one), (byName.get(of(one)) ?? 0) + 1);
  return [...byName];
}

const tree = readTree(fileURLToPath(new URL("../../", import.meta.url)));
const found = findPhrases(tree);
if (folder !== undefined) {
  const below = found.filter(({ path }) => path === folder || path.startsWith(`${folder}/`));
  for (const { path, line, phrase } of below) console.log(`${path}:${line}: ${phrase}`);
  if (below.length === 0) console.log(`none in ${folder}`);
  console.log("");
}
for (const [group, count] of counts(found, (one) => one.group).sort()) {
  const own = found.filter((one) => one.group === group);
  const words = counts(own, (one) => one.phrase).sort((a, b) => b[1] - a[1]);
  const list = words.map(([phrase, times]) => `${phrase} ${times}`).join(", ");
  console.log(`${group.padEnd(22)} ${String(count).padStart(4)}   ${list}`);
}
console.log("");
const totals = new Map(counts(found, (one) => one.phrase));
const list = phrases.map((phrase) => `${phrase} ${totals.get(phrase) ?? 0}`).join(", ");
console.log(`${"all".padEnd(22)} ${String(found.length).padStart(4)}   ${list}`);
