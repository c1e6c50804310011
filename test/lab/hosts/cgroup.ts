/**
 * Cgroup: all processes of a lab, as the kernel lists them.
 *
 *   /gam-lab-7                 the lab
 *   /gam-lab-7/host1/system    its init, engine, agent and every command run in it
 *   /gam-lab-7/host1/pods      parent of its containers
 *
 * The freezer stops a host's processes. By the same list `down` finds what is left of a lab whose
 * record is lost. Version 1 has one tree per controller. We use the freezer's, but the engine makes
 * directories of the same names in the others, so removal goes through all trees.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** Where the tree that lists and freezes processes is mounted, or why there is none. */
export type CgroupTree =
  | { readonly kind: "v1" | "v2"; readonly path: string }
  | { readonly kind: "none"; readonly reason: string };

export function cgroupTree(): CgroupTree {
  const mounts = cgroupMounts();
  const freezer = mounts.find(({ kind, options }) => kind === "v1" && options.has("freezer"));
  if (freezer !== undefined) return { kind: "v1", path: freezer.path };
  const unified = mounts.find(({ kind }) => kind === "v2");
  if (unified !== undefined && !mounts.some(({ kind }) => kind === "v1")) {
    return { kind: "v2", path: unified.path };
  }
  return { kind: "none", reason: "neither the freezer of cgroup v1 nor cgroup v2 is mounted" };
}

export class Cgroup {
  readonly #tree: Exclude<CgroupTree, { kind: "none" }>;
  readonly #name: string;

  /** `name`: from the root of the tree, with a leading slash. */
  constructor(tree: Exclude<CgroupTree, { kind: "none" }>, name: string) {
    this.#tree = tree;
    this.#name = name;
  }

  child(name: string): Cgroup {
    return new Cgroup(this.#tree, `${this.#name}/${name}`);
  }

  /** The groups directly below this one. */
  children(): Cgroup[] {
    if (!existsSync(this.#path)) return [];
    const entries = readdirSync(this.#path, { withFileTypes: true });
    return entries.filter((one) => one.isDirectory()).map((one) => this.child(one.name));
  }

  get name(): string {
    return this.#name;
  }

  /** A process joins the group by writing its PID to this file. */
  get procsFile(): string {
    return join(this.#path, "cgroup.procs");
  }

  get #path(): string {
    return join(this.#tree.path, this.#name);
  }

  /** Whether it exists in any tree: the engine makes directories also in trees that we do not use. */
  get exists(): boolean {
    return cgroupMounts().some(({ path }) => existsSync(join(path, this.#name)));
  }

  make(): void {
    mkdirSync(this.#path, { recursive: true });
  }

  /** PIDs of all processes in this group and below, in the outer namespace. */
  pids(): number[] {
    return directoriesUnder(this.#path).flatMap((directory) =>
      (readOrEmpty(join(directory, "cgroup.procs")).match(/\d+/g) ?? []).map(Number),
    );
  }

  /** Stops every process at once, without a signal. */
  freeze(): void {
    this.#set(this.#tree.kind === "v1" ? "FROZEN" : "1");
  }

  thaw(): void {
    if (existsSync(this.#path)) this.#set(this.#tree.kind === "v1" ? "THAWED" : "0");
  }

  /**
   * Gives everything below the same share of processor time as this number of processes outside. Without it the kernel
   * counts a group as one process, however many containers are in it.
   */
  weigh(processes: number): void {
    for (const { kind, path, options } of cgroupMounts()) {
      if (kind !== this.#tree.kind || (kind === "v1" && !options.has("cpu"))) continue;
      const folder = join(path, this.#name);
      mkdirSync(folder, { recursive: true });
      const [file, each] =
        kind === "v1" ? (["cpu.shares", 1024] as const) : (["cpu.weight", 100] as const);
      const weight = join(folder, file);
      // Without the controller groups have no weight.
      if (existsSync(weight)) writeFileSync(weight, String(each * processes));
    }
  }

  /** Removes the directories in every tree. They must have no processes. */
  remove(): void {
    for (const { path } of cgroupMounts()) {
      const top = join(path, this.#name);
      for (const directory of directoriesUnder(top).reverse()) rmdirSync(directory);
    }
  }

  #set(value: string): void {
    const file = this.#tree.kind === "v1" ? "freezer.state" : "cgroup.freeze";
    writeFileSync(join(this.#path, file), value);
  }
}

interface CgroupMount {
  readonly kind: "v1" | "v2";
  readonly path: string;
  readonly options: ReadonlySet<string>;
}

function cgroupMounts(): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of readOrEmpty("/proc/mounts").split("\n")) {
    const [, path, type, options] = line.split(" ");
    if (path === undefined || options === undefined) continue;
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const kind = type === "cgroup" ? "v1" : "v2";
    mounts.push({ kind, path, options: new Set(options.split(",")) });
  }
  return mounts;
}

/** The directory and all below it, parents first. Empty when there is none. */
function directoriesUnder(path: string): string[] {
  if (!existsSync(path)) return [];
  const children = readdirSync(path, { withFileTypes: true }).filter((one) => one.isDirectory());
  return [path, ...children.flatMap((one) => directoriesUnder(join(path, one.name)))];
}

function readOrEmpty(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}
