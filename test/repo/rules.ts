/**
 * Rules: the rules of this repository, one function each.
 *
 * Each takes the tree and returns the breaches of its rule, with what to do. To add a rule, write the
 * function, name it in `rules` and plant a breach of it in check.test.ts.
 */
import { basename, posix } from "node:path";
import type { Breach, Rule } from "./breach.ts";
import { casts } from "./casts.ts";
import { catches } from "./catches.ts";
import { diskWrites } from "./disk-writes.ts";
import { deadDoorExports, doors, permissions } from "./doors.ts";
import { folderCircles, folderLayers, folderSizes } from "./folders.ts";
import { instruments, mayImport, pure } from "./layers.ts";
import { type Import, lineAt, type Source } from "./source.ts";
import { isTest, type Manifest, ownPackage, packageOf, resolve, type Tree } from "./tree.ts";
import { typeNames } from "./type-names.ts";

const lineCountMax = 700;
const readmeLinesMax = 40;

function layers(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const source of tree.sources.values()) {
    const folder = packageOf(source.path);
    if (folder === undefined) continue;
    const allowed = mayImport[folder];
    if (allowed === undefined) {
      const message = `package "${folder}" is not in test/repo/layers.ts: add it with what it may import`;
      breaches.push({ path: source.path, line: 1, message });
      continue;
    }
    const report = (found: Import, message: string): void => {
      breaches.push({ path: source.path, line: found.line, message });
    };
    for (const found of source.imports) {
      const { specifier } = found;
      if (found.isProgram) continue; // A program runs in its own process.
      const own = ownPackage(specifier);
      if (own === undefined) {
        const path = specifier.startsWith(".") ? resolve(tree, source.path, specifier) : undefined;
        if (path !== undefined && packageOf(path) !== folder) {
          report(found, `"${specifier}" leaves the package: import "@gam/${packageOf(path)}"`);
        }
      } else if (own.folder === folder) {
        report(found, `"${specifier}" is this package itself: import the file`);
      } else if (!allowed.includes(own.folder)) {
        const list = allowed.length === 0 ? "nothing" : allowed.join(", ");
        report(found, `${folder} may not import ${own.folder}, only ${list} (test/repo/layers.ts)`);
      } else if (own.door === "./testing" && !isTest(source.path) && !instruments.has(folder)) {
        report(found, `"${specifier}" is for tests: move what the product needs out of it`);
      }
    }
  }
  return breaches;
}

function cycles(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      const round = [...trail.slice(at), path].map((one) => basename(one)).join(" > ");
      const message = `files import each other in a circle: ${round}; move what they share to a file of its own`;
      breaches.push({ path, line: 1, message });
      return;
    }
    if (done.has(path)) return;
    trail.push(path);
    for (const { specifier, isProgram } of tree.sources.get(path)?.imports ?? []) {
      const next = isProgram ? undefined : resolve(tree, path, specifier);
      if (next !== undefined) visit(next);
    }
    trail.pop();
    done.add(path);
  };
  for (const path of tree.sources.keys()) visit(path);
  return breaches;
}

const bannedWords =
  /\bDate\.now\b|\bnew Date(?:\(\s*\)|(?!\s*\())|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\b|(?<![.\w$])(?:console|process)\b(?!\s*\??:)|\b(?:async|await)\b|\bPromise\b|\bperformance\.now\b/g;

function purity(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const source of tree.sources.values()) {
    if (!pure.has(packageOf(source.path) ?? "") || isTest(source.path)) continue;
    for (const match of source.code.matchAll(bannedWords)) {
      const message = `"${match[0]}" in a pure package: take it as an argument, or act in a shell`;
      breaches.push({ path: source.path, line: lineAt(source.code, match.index), message });
    }
    for (const { specifier, line } of source.imports) {
      if (!specifier.startsWith("node:")) continue;
      const message = `"${specifier}" in a pure package: act in a shell`;
      breaches.push({ path: source.path, line, message });
    }
  }
  return breaches;
}

function defaultExports(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const { path, code } of tree.sources.values()) {
    for (const match of code.matchAll(/\bexport\s+default\b|\bas\s+default\b/g)) {
      const message = "default export: give it a name";
      breaches.push({ path, line: lineAt(code, match.index), message });
    }
  }
  return breaches;
}

function fileNames(tree: Tree): Breach[] {
  return [...tree.sources.keys()]
    .filter((path) =>
      /^(?:utils?|helpers?|types?|commons?|misc)\.(?:test\.)?ts$/.test(basename(path)),
    )
    .map((path) => ({
      path,
      line: 1,
      message: "the name says nothing: name the file after its main export",
    }));
}

/** Whether something other than an import starts the file: a door, program, test or script. */
function isStarted(tree: Tree, path: string): boolean {
  const name = basename(path);
  if (name === "main.ts" || name.endsWith(".test.ts")) return true;
  if (path.startsWith("test/bench/")) return true; // Run by hand.
  const folder = packageOf(path);
  const doors = Object.values(tree.packages.get(folder ?? "")?.exports ?? {});
  if (doors.some((door) => path === `packages/${folder}/${door.replace(/^\.\//, "")}`)) return true;
  for (const [other, text] of tree.texts) {
    if (/\.(?:ts|md|txt)$/.test(other)) continue;
    if (text.includes(path)) return true;
  }
  return false;
}

function deadFiles(tree: Tree): Breach[] {
  const alive = new Set<string>();
  const visit = (path: string): void => {
    if (alive.has(path)) return;
    alive.add(path);
    for (const { specifier } of tree.sources.get(path)?.imports ?? []) {
      const next = resolve(tree, path, specifier);
      if (next !== undefined) visit(next);
    }
  };
  for (const path of tree.sources.keys()) if (isStarted(tree, path)) visit(path);
  return [...tree.sources.keys()]
    .filter((path) => !alive.has(path))
    .map((path) => ({
      path,
      line: 1,
      message: "nothing imports or starts this file: import it or delete it",
    }));
}

function deadExports(tree: Tree): Breach[] {
  const used = new Map<string, Set<string>>();
  for (const source of tree.sources.values()) {
    for (const { specifier, names } of source.imports) {
      const path = resolve(tree, source.path, specifier);
      if (path === undefined) continue;
      const known = used.get(path) ?? new Set();
      for (const name of names) known.add(name);
      used.set(path, known);
    }
  }
  const breaches: Breach[] = [];
  for (const { path, values } of tree.sources.values()) {
    const names = used.get(path) ?? new Set();
    if (names.has("*") || isStarted(tree, path)) continue;
    for (const { name, line } of values) {
      if (names.has(name)) continue;
      const message = `"${name}" is exported but imported nowhere: remove the export or the code`;
      breaches.push({ path, line, message });
    }
  }
  return breaches;
}

function todos(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const { path, comments } of tree.sources.values()) {
    for (const match of comments.matchAll(/\b(?:TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))/g)) {
      const message = `"${match[0]}" without an issue: write TODO(#12), or do it`;
      breaches.push({ path, line: lineAt(comments, match.index), message });
    }
  }
  return breaches;
}

function sizes(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const { path, text } of tree.sources.values()) {
    const count = linesOf(text);
    if (count <= lineCountMax) continue;
    const message = `${count} lines, more than ${lineCountMax}: split it by topic`;
    breaches.push({ path, line: lineCountMax, message });
  }
  return breaches;
}

function readmes(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const folder of inhabited(tree)) {
    const path = `packages/${folder}/README.md`;
    const text = tree.texts.get(path);
    if (text === undefined) {
      breaches.push({ path, line: 1, message: "missing: say what it decides and how to drive it" });
    } else if (linesOf(text) > readmeLinesMax) {
      const message = `${linesOf(text)} lines, more than ${readmeLinesMax}: keep what a first reader needs`;
      breaches.push({ path, line: readmeLinesMax, message });
    }
  }
  return breaches;
}

function machinePaths(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const [path, text] of tree.texts) {
    for (const match of text.matchAll(/(?<![\w.~-])\/(?:work|root)\/[\w.-]*/g)) {
      const message = `"${match[0]}" is a path of one machine: compute it at run time`;
      breaches.push({ path, line: lineAt(text, match.index), message });
    }
  }
  return breaches;
}

/** Links in Markdown must lead to text files of the tree, or to other sites. */
function links(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const [path, text] of tree.texts) {
    if (!path.endsWith(".md")) continue;
    for (const match of text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)) {
      const [, target = ""] = match;
      const found = posix.join(posix.dirname(path), target);
      if ([...tree.texts.keys()].some((one) => one === found || one.startsWith(`${found}/`)))
        continue;
      const message = `"${target}" leads nowhere`;
      breaches.push({ path, line: lineAt(text, match.index), message });
    }
  }
  return breaches;
}

function manifests(tree: Tree): Breach[] {
  const breaches = [...inexactVersions(tree.root)];
  for (const folder of inhabited(tree)) {
    const manifest = tree.packages.get(folder);
    if (manifest === undefined) continue;
    const missing = new Set(Object.keys(manifest.dependencies));
    for (const source of tree.sources.values()) {
      if (packageOf(source.path) !== folder) continue;
      for (const { specifier, line } of source.imports) {
        if (/^(?:\.|node:)/.test(specifier)) continue;
        const name = packageName(specifier);
        missing.delete(name);
        if (isDeclared(tree, manifest, source, name)) continue;
        const message = `"${name}" is imported but not declared in ${manifest.path}`;
        breaches.push({ path: source.path, line, message });
      }
    }
    for (const name of missing) {
      const message = `"${name}" is declared but imported nowhere: remove it`;
      breaches.push({ path: manifest.path, line: lineOfName(manifest, name), message });
    }
    breaches.push(...inexactVersions(manifest));
  }
  return breaches;
}

function isDeclared(tree: Tree, manifest: Manifest, source: Source, name: string): boolean {
  if (Object.hasOwn(manifest.dependencies, name)) return true;
  if (!isTest(source.path)) return false;
  return (
    Object.hasOwn(manifest.devDependencies, name) || Object.hasOwn(tree.root.devDependencies, name)
  );
}

function inexactVersions(manifest: Manifest): Breach[] {
  const declared = { ...manifest.dependencies, ...manifest.devDependencies };
  return Object.entries(declared)
    .filter(([name, version]) =>
      name.startsWith("@gam/") ? version !== "*" : !/^(?:npm:.+@)?\d+\.\d+\.\d+$/.test(version),
    )
    .map(([name, version]) => ({
      path: manifest.path,
      line: lineOfName(manifest, name),
      message: `"${name}": "${version}" is not an exact version: write the installed one`,
    }));
}

function packageName(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

function lineOfName(manifest: Manifest, name: string): number {
  return lineAt(manifest.text, manifest.text.indexOf(`"${name}":`));
}

/** Each npm script that runs TypeScript must check Node first, because `npm run` ignores `engines`. */
function npmScripts(tree: Tree): Breach[] {
  const { scripts = {} } = JSON.parse(tree.root.text) as { scripts?: Record<string, string> };
  const guard = "node scripts/node-fits.cjs && ";
  return Object.entries(scripts)
    .filter(([, command]) => /\bnode .*\.ts\b/.test(command) && !command.startsWith(guard))
    .map(([name]) => ({
      path: tree.root.path,
      line: lineOfName(tree.root, name),
      message: `"${name}" runs TypeScript on any Node: begin it with "${guard.trim()}"`,
    }));
}

/** .node-version, scripts/env (the Node that it fetches) and package.json (the oldest that works) must agree. */
function nodeVersions(tree: Tree): Breach[] {
  const [env, pin] = [tree.texts.get("scripts/env"), tree.texts.get(".node-version")];
  if (env === undefined || pin === undefined) return [];
  const breaches: Breach[] = [];
  const fetched = /^gam_node_version=(.*)$/m.exec(env)?.[1];
  if (fetched !== pin.trim()) {
    const message = `"${pin.trim()}" differs from the Node that scripts/env fetches, ${fetched}: write the same`;
    breaches.push({ path: ".node-version", line: 1, message });
  }
  const { engines } = JSON.parse(tree.root.text) as { engines?: { node: string } };
  const oldest = engines?.node.replace(">=", "");
  for (const match of env.matchAll(/Node (\d+\.\d+) or newer/g)) {
    if (match[1] === oldest) continue;
    const message = `"${match[0]}" differs from engines in package.json, ${oldest}: write the same`;
    breaches.push({ path: "scripts/env", line: lineAt(env, match.index), message });
  }
  return breaches;
}

/** Packages that have source files, in order. */
function inhabited(tree: Tree): string[] {
  const folders = new Set<string>();
  for (const path of tree.sources.keys()) {
    const folder = packageOf(path);
    if (folder !== undefined) folders.add(folder);
  }
  return [...folders].sort();
}

function linesOf(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

export const rules: Readonly<Record<string, Rule>> = {
  casts,
  catches,
  layers,
  cycles,
  folderCircles,
  folderLayers,
  folderSizes,
  typeNames,
  purity,
  defaultExports,
  fileNames,
  deadFiles,
  deadDoorExports,
  deadExports,
  diskWrites,
  doors,
  todos,
  sizes,
  readmes,
  machinePaths,
  permissions,
  links,
  manifests,
  npmScripts,
  nodeVersions,
};
