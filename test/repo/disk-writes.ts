/**
 * Disk writes: files that are to survive a power loss are written by `packages/files` alone. A rename
 * without a sync before and after it loses the file now and then, and no test notices.
 */
import type { Breach } from "./breach.ts";
import { isTest, packageOf, type Tree } from "./tree.ts";

const writers = new Set([
  ...["appendFile", "appendFileSync", "createWriteStream", "copyFile", "copyFileSync"],
  ...["rename", "renameSync", "writeFile", "writeFileSync"],
]);

/** They write where no file is: below /proc/sys. */
const exempt = new Set(["packages/runtime/src/data-plane/kernel/kernel-settings.ts"]);

export function diskWrites(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const { path, imports } of tree.sources.values()) {
    const folder = packageOf(path);
    if (folder === undefined || folder === "files" || exempt.has(path) || isTest(path)) continue;
    for (const { specifier, names, line } of imports) {
      if (!/^(?:node:)?fs(?:\/promises)?$/.test(specifier)) continue;
      const found = names.find((name) => writers.has(name));
      if (found === undefined) continue;
      const message = `"${found}" may lose the file at a power loss: use replaceFile() or moveFile() of @gam/files`;
      breaches.push({ path, line, message });
    }
  }
  return breaches;
}
