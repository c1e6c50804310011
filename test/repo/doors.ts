/**
 * Doors: what packages offer each other is there, and is used.
 *
 * An entry of `exports` leads to a file and somebody comes in by it. A name that leaves by it is imported
 * by another package, a bench, a lab or a script; or by a test of its own package, where the door is for
 * tests. A permission in layers.ts is made use of.
 */
import { posix } from "node:path";
import type { Breach } from "./breach.ts";
import { mayImport } from "./layers.ts";
import { type Export, lineAt } from "./source.ts";
import { ownPackage, packageOf, resolve, type Tree } from "./tree.ts";

const map = "test/repo/layers.ts";

/** Entries of `exports` that lead nowhere, or that nobody uses. */
export function doors(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  const used = namesByDoor(tree);
  for (const [folder, { path, text, exports }] of tree.packages) {
    for (const [door, target] of Object.entries(exports)) {
      const line = lineAt(text, text.indexOf(`"${door}":`));
      if (!tree.sources.has(posix.join("packages", folder, target))) {
        breaches.push({ path, line, message: `"${door}" leads to no file: remove it` });
      } else if (!used.has(`${folder} ${door}`)) {
        breaches.push({ path, line, message: `nobody imports by "${door}": remove it` });
      }
    }
  }
  return breaches;
}

/** Names that leave by a door and that nobody imports by it. */
export function deadDoorExports(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  const used = namesByDoor(tree);
  for (const [folder, { exports }] of tree.packages) {
    for (const [door, target] of Object.entries(exports)) {
      const source = tree.sources.get(posix.join("packages", folder, target));
      const names = used.get(`${folder} ${door}`);
      if (source === undefined || names === undefined || names.has("*")) continue;
      for (const { name, line } of [...source.values, ...passedOn(source.code)]) {
        if (names.has(name)) continue;
        const message = `no other package imports "${name}": do not pass it on`;
        breaches.push({ path: source.path, line, message });
      }
    }
  }
  return breaches;
}

/** Permissions that a package makes no use of. */
export function permissions(tree: Tree): Breach[] {
  const used = new Set<string>();
  const inhabited = new Set<string>();
  for (const { path, imports } of tree.sources.values()) {
    const folder = packageOf(path);
    if (folder === undefined) continue;
    inhabited.add(folder);
    for (const { specifier } of imports) used.add(`${folder} ${ownPackage(specifier)?.folder}`);
  }
  const text = tree.texts.get(map) ?? "";
  return Object.entries(mayImport)
    .filter(([folder]) => inhabited.has(folder))
    .flatMap(([folder, allowed]) =>
      allowed
        .filter((other) => !used.has(`${folder} ${other}`))
        .map((other) => ({
          path: map,
          line: lineAt(text, text.indexOf(`\n  ${folder}: [`) + 1),
          message: `${folder} imports nothing of ${other}: take the permission away`,
        })),
    );
}

/** `folder door` to the names that come in by it; `"*"` for all. */
function namesByDoor(tree: Tree): ReadonlyMap<string, ReadonlySet<string>> {
  const used = new Map<string, Set<string>>();
  const doorOf = new Map(
    [...tree.packages].flatMap(([folder, { exports }]) =>
      Object.entries(exports).map(([door, target]) => [
        posix.join("packages", folder, target),
        `${folder} ${door}`,
      ]),
    ),
  );
  for (const { path, imports } of tree.sources.values()) {
    for (const { specifier, names } of imports) {
      const door = doorOf.get(resolve(tree, path, specifier) ?? "");
      if (door === undefined) continue;
      const known = used.get(door) ?? new Set();
      for (const name of names) known.add(name);
      used.set(door, known);
    }
  }
  return used;
}

/** Names of `export { … } from` and `export * as name from`. */
function passedOn(code: string): Export[] {
  const clause = /\bexport\s+(?:type\s+)?(?:\{([^}]*)\}|\*\s+as\s+([\w$]+))/g;
  return [...code.matchAll(clause)].flatMap(({ 0: whole, 1: list, 2: space, index }) =>
    (list ?? space ?? "")
      .split(",")
      .map((one) => one.trim().replace(/^type\s+|^.*\sas\s+/g, ""))
      .filter((name) => name !== "")
      .map((name) => {
        const at = new RegExp(`\\b${name.replaceAll("$", "\\$")}\\b`).exec(whole)?.index ?? 0;
        return { name, line: lineAt(code, index + at) };
      }),
  );
}
