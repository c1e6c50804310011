/**
 * Disk writes: only `packages/files` writes files that must survive a power loss. A rename without a sync
 * before and after it may lose the file, and no test would notice.
 */
import type { Breach } from "./breach.ts";
import { isTest, packageOf, type Tree } from "./tree.ts";

const writers = new Set([
  ...["appendFile", "appendFileSync", "createWriteStream", "copyFile", "copyFileSync"],
  ...["rename", "renameSync", "writeFile", "writeFileSync"],
]);

/** These write below /proc/sys, where there are no real files. */
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
