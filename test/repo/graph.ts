/**
 * Graph: prints which folder of this checkout imports from which, and how many source files it has.
 *
 *   node test/repo/graph.ts            one line for each folder
 *
 * A name without a slash is a folder beside or below the line's own folder. `npm run check` finds circles and
 * imports upward.
 */
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { filesIn, folderGraph } from "./folders.ts";
import { readTree } from "./tree.ts";

const tree = readTree(fileURLToPath(new URL("../../", import.meta.url)));

function nameOf(folder: string, seenFrom: string): string {
  const ownPackage = /^packages\/[^/]+\/src/.exec(seenFrom)?.[0] ?? posix.dirname(seenFrom);
  if (folder.startsWith(`${ownPackage}/`)) return folder.slice(ownPackage.length + 1);
  return folder.replace(/^packages\/([^/]+)\/src(?=$|\/testing$)/, "@gam/$1");
}

for (const [folder, imports] of [...folderGraph(tree)].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const names = imports.map((found) => nameOf(found.folder, folder)).sort();
  const files = String(filesIn(tree, folder)).padStart(3);
  console.log(`${files}  ${folder}${names.length === 0 ? "" : ` > ${names.join(", ")}`}`);
}
