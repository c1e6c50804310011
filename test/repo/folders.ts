/**
 * Folders: which folder imports from which, and in which order they may.
 *
 * Decides what a folder is (the directory of a file), which imports count, and the order. Tests do not
 * count: they may import anything. `node test/repo/graph.ts` prints what folderGraph() returns.
 */
import { posix } from "node:path";
import type { Breach } from "./breach.ts";
import { folderOrder } from "./layers.ts";
import { resolve, type Tree } from "./tree.ts";

/** Including tests, so that a reader finds a file at a glance. */
const folderFilesMax = 25;

export interface FolderImport {
  /** The importing file. */
  readonly path: string;
  readonly line: number;
  /** The folder that is imported. */
  readonly folder: string;
}

/** By folder, its imports from other folders: the first of each, in the order of the other folder's name. */
export type FolderGraph = ReadonlyMap<string, readonly FolderImport[]>;

export function folderGraph(tree: Tree): FolderGraph {
  const graph = new Map<string, Map<string, FolderImport>>();
  for (const { path, imports } of tree.sources.values()) {
    const own = posix.dirname(path);
    const found = graph.get(own) ?? new Map<string, FolderImport>();
    graph.set(own, found);
    if (isForTests(path)) continue;
    for (const { specifier, line, isProgram } of imports) {
      const target = isProgram ? undefined : resolve(tree, path, specifier);
      const folder = target && posix.dirname(target);
      if (folder === undefined || folder === own || found.has(folder)) continue;
      found.set(folder, { path, line, folder });
    }
  }
  const byFolder = (a: FolderImport, b: FolderImport): number => (a.folder < b.folder ? -1 : 1);
  return new Map([...graph].map(([own, found]) => [own, [...found.values()].sort(byFolder)]));
}

export function filesIn(tree: Tree, folder: string): number {
  return [...tree.sources.keys()].filter((path) => posix.dirname(path) === folder).length;
}

function isForTests(path: string): boolean {
  return /\.test\.ts$|-suite\.ts$|\/testing\//.test(path);
}

export function folderSizes(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  for (const folder of folderGraph(tree).keys()) {
    const count = filesIn(tree, folder);
    if (count <= folderFilesMax) continue;
    const message = `${count} source files in one folder, more than ${folderFilesMax}: give those that belong together a folder`;
    breaches.push({ path: folder, line: 1, message });
  }
  return breaches;
}

export function folderCircles(tree: Tree): Breach[] {
  const graph = folderGraph(tree);
  const breaches: Breach[] = [];
  const done = new Set<string>();
  const trail: FolderImport[] = [];
  const visit = (folder: string): void => {
    if (done.has(folder)) return;
    for (const found of graph.get(folder) ?? []) {
      const at = trail.findIndex(({ path }) => posix.dirname(path) === found.folder);
      if (at < 0) {
        trail.push(found);
        visit(found.folder);
        trail.pop();
        continue;
      }
      const round = [...trail.slice(at), found].map(({ path }) => path).join(", ");
      const message = `folders import each other in a circle: ${round}; move what they share to a folder that both may import`;
      breaches.push({ path: found.path, line: found.line, message });
    }
    done.add(folder);
  };
  for (const folder of graph.keys()) visit(folder);
  return breaches;
}

/** Imports against the order. A unit's own files may import all its folders, and each folder those before it. */
export function folderLayers(tree: Tree): Breach[] {
  const breaches: Breach[] = [];
  const graph = folderGraph(tree);
  for (const [folder, imports] of graph) {
    const unit = unitOf(folder);
    if (unit === folder || isForTests(`${folder}/`)) continue;
    const order = folderOrder[unit] ?? [];
    const rank = order.indexOf(folder.slice(unit.length + 1));
    if (rank < 0) {
      const message = `"${folder}" is not in folderOrder (test/repo/layers.ts): add it after the folders that it imports`;
      breaches.push({ path: folder, line: 1, message });
      continue;
    }
    for (const { path, line, folder: other } of imports) {
      if (other !== unit && !other.startsWith(`${unit}/`)) continue;
      if (other !== unit && order.indexOf(other.slice(unit.length + 1)) < rank) continue;
      const message = `"${folder}" may not import from "${other}", which is above it (folderOrder in test/repo/layers.ts)`;
      breaches.push({ path, line, message });
    }
  }
  for (const [unit, order] of Object.entries(folderOrder)) {
    for (const name of order) {
      if (![...graph.keys()].some((folder) => isFolderIn(folder, unit))) continue;
      if (graph.has(`${unit}/${name}`)) continue;
      const message = `folderOrder has "${unit}/${name}", which does not exist: remove it`;
      breaches.push({ path: "test/repo/layers.ts", line: 1, message });
    }
  }
  return breaches;
}

function isFolderIn(folder: string, unit: string): boolean {
  return folder.startsWith(`${unit}/`) && !isForTests(`${folder}/`);
}

/** The unit of a folder: the sources of a package, or a kind of test. */
function unitOf(folder: string): string {
  return /^(?:packages\/[^/]+\/src|test\/[^/]+)/.exec(folder)?.[0] ?? folder;
}
