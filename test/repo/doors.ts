/**
 * Doors: the exports of packages exist and are used.
 *
 * An entry of `exports` names an existing file and is imported. Each name that it exports is imported
 * by another package, a bench, a lab or a script, or by a test of its own package if the door is for
 * tests. Each permission in layers.ts is used.
 */
import { posix } from "node:path";
import type { Breach } from "./breach.ts";
import { mayImport } from "./layers.ts";
import { type Export, lineAt } from "./source.ts";
import { ownPackage, packageOf, resolve, type Tree } from "./tree.ts";

const map = "test/repo/layers.ts";

/** Entries of `exports` without a file, or without an import. */
export function doors(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  const used = namesByDoor(tree);
  for (const [folder, { path, text, exports }] of tree.packages) {
    for (const [door, target] of Object.entries(exports)) {
      const line = lineAt(text, text.indexOf(`"${door}":`));
      if (!tree.sources.has(posix.join("packages", folder, target))) {
        breaches.push({ path, line, message: `the file of "${door}" does not exist: remove it` });
      } else if (!used.has(`${folder} ${door}`)) {
        breaches.push({ path, line, message: `no import uses "${door}": remove it` });
      }
    }
  }
  return breaches;
}

/** Names that a door exports and that are imported nowhere. */
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
        const message = `no other package imports "${name}": do not export it`;
        breaches.push({ path: source.path, line, message });
      }
    }
  }
  return breaches;
}

/** Permissions that a package does not use. */
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
          message: `${folder} imports nothing from ${other}: remove the permission`,
        })),
    );
}

/** By `folder door`, the names that are imported from it; `"*"` for all. */
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
