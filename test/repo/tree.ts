/**
 * Tree: the checkout as the rules see it. Reads everything once, and judges nothing.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { readSource, type Source } from "./source.ts";

export interface Manifest {
  readonly path: string;
  readonly text: string;
  readonly name: string;
  /** Files by subpath, from the package's folder. */
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

export interface Tree {
  /** Every text file, by its path from the root. */
  readonly texts: ReadonlyMap<string, string>;
  readonly sources: ReadonlyMap<string, Source>;
  /** By the folder's name below packages/. */
  readonly packages: ReadonlyMap<string, Manifest>;
  readonly root: Manifest;
}

const ignoredFolders = new Set(["node_modules", "dist", ".git", ".runtime"]);
/** Files written by programs, which no rule checks. `.git` is a file in a second work tree. */
const ignoredFiles = new Set([".git", "package-lock.json"]);
const fileBytesMax = 1 << 20;

export function readTree(root: string): Tree {
  const texts = new Map<string, string>();
  const walk = (folder: string): void => {
    const entries = readdirSync(join(root, folder), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !ignoredFolders.has(entry.name)) walk(path);
      else if (entry.isFile() && !ignoredFiles.has(entry.name) && !entry.name.endsWith(".tmp")) {
        const bytes = readFileSync(join(root, path));
        if (bytes.length <= fileBytesMax && !bytes.includes(0)) texts.set(path, bytes.toString());
      }
    }
  };
  walk("");
  const sources = new Map<string, Source>();
  const packages = new Map<string, Manifest>();
  for (const [path, text] of texts) {
    if (path.endsWith(".ts")) sources.set(path, readSource(path, text));
    const folder = /^packages\/([^/]+)\/package\.json$/.exec(path)?.[1];
    if (folder !== undefined) packages.set(folder, readManifest(path, text));
  }
  return {
    texts,
    sources,
    packages,
    root: readManifest("package.json", texts.get("package.json") ?? "{}"),
  };
}

function readManifest(path: string, text: string): Manifest {
  const { name = "", exports = {}, dependencies = {}, devDependencies = {} } = JSON.parse(text);
  return { path, text, name, exports, dependencies, devDependencies };
}

/** The folder below packages/ that the file belongs to. */
export function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\//.exec(path)?.[1];
}

/** Whether the file is only for tests, which may do what the product may not. */
export function isTest(path: string): boolean {
  return !path.startsWith("packages/") || /\.test\.ts$|-suite\.ts$|\/src\/testing\//.test(path);
}

/** The path of the imported file, if it is in the tree. */
export function resolve(tree: Tree, from: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) {
    const path = posix.join(dirname(from), specifier);
    return tree.sources.has(path) ? path : undefined;
  }
  const own = ownPackage(specifier);
  const target = own && tree.packages.get(own.folder)?.exports[own.door];
  return own && target ? posix.join("packages", own.folder, target) : undefined;
}

/** `@gam/core/testing` is folder `core`, door `./testing`. */
export function ownPackage(specifier: string): { folder: string; door: string } | undefined {
  const match = /^@gam\/([^/]+)(\/.*)?$/.exec(specifier);
  return match ? { folder: match[1] ?? "", door: `.${match[2] ?? ""}` } : undefined;
}
