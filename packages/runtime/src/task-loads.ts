/**
 * Task loads: what single tasks use, from the kernel's counters of their control groups and of their networks.
 *
 * The engine's statistics take a second per container; these files take less than a millisecond, whatever
 * version of control groups the host has. A process names its groups, so no driver's naming of folders matters.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { check, rethrowInvariant } from "@gam/core";
import type { TaskToMeasure, TaskUsage } from "@gam/state";

/** CPU is an average over at least this long, and about as long as autoscaling's pace. */
const averageMsMin = 10_000;
const averageMs = 15_000;
/** Counters are read this often; a call in between gets the last answer. */
const everyMs = 2_500;
const nanoPerMs = 1e6;
const aCounter = check.number(0, 2 ** 64);

interface Sample {
  readonly atMs: number;
  readonly cpuNs: number;
  /** TCP connections that were opened to the task; undefined where it has no network of its own. */
  readonly opened: number | undefined;
}

interface Groups {
  readonly pid: number;
  readonly cpu: () => number;
  readonly memory: () => number;
  readonly opened: () => number | undefined;
  /** The oldest first. */
  samples: readonly Sample[];
}

export class TaskLoads {
  readonly #groups = new Map<string, Groups>();
  #last: readonly TaskUsage[] = [];
  #lastMs = Number.NEGATIVE_INFINITY;
  readonly #root: string;

  /** `root`: a folder that stands for /, for tests. */
  constructor(root = "") {
    this.#root = root;
  }

  /** Shape: `nowMs` by a clock that never goes back. Leaves out tasks whose process is gone. */
  measure(tasks: readonly TaskToMeasure[], nowMs: number): readonly TaskUsage[] {
    if (nowMs < this.#lastMs + everyMs) return this.#last;
    const ids = new Set<string>(tasks.map(({ id }) => id));
    for (const id of this.#groups.keys()) if (!ids.has(id)) this.#groups.delete(id);
    this.#lastMs = nowMs;
    this.#last = tasks.flatMap((task) => this.#measureTask(task, nowMs) ?? []);
    return this.#last;
  }

  #measureTask({ id, pid }: TaskToMeasure, nowMs: number): TaskUsage | undefined {
    try {
      const known = this.#groups.get(id);
      const groups = known?.pid === pid ? known : groupsOf(this.#root, pid);
      this.#groups.set(id, groups);
      const now = { atMs: nowMs, cpuNs: groups.cpu(), opened: groups.opened() };
      groups.samples = withSample(groups.samples, now);
      return { id, memoryBytes: groups.memory(), ...ratesOf(groups.samples) };
    } catch (thrown) {
      rethrowInvariant(thrown);
      this.#groups.delete(id);
      return undefined;
    }
  }
}

/** Returns: the samples from the one at which the average begins. */
function withSample(samples: readonly Sample[], now: Sample): readonly Sample[] {
  const all = [...samples, now];
  const start = all.findLastIndex(({ atMs }) => now.atMs - atMs >= averageMs);
  return start > 0 ? all.slice(start) : all;
}

/** Returns: nothing until the samples cover enough time. */
function ratesOf(samples: readonly Sample[]): Pick<TaskUsage, "cpu" | "requests"> {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return {};
  const passedMs = last.atMs - first.atMs;
  if (passedMs < averageMsMin) return {};
  const cpu = Math.max(0, last.cpuNs - first.cpuNs) / (passedMs * nanoPerMs);
  if (first.opened === undefined || last.opened === undefined) return { cpu };
  return { cpu, requests: (1000 * Math.max(0, last.opened - first.opened)) / passedMs };
}

// Files. The kernel answers from memory, so a synchronous read costs less than an asynchronous one.

/** Errors: those of reading: the process is gone, or the files are elsewhere. */
function groupsOf(root: string, pid: number): Groups {
  const lines = readFileSync(`${root}/proc/${pid}/cgroup`, "utf8").trim().split("\n");
  const mounts = readFileSync(`${root}/proc/self/mountinfo`, "utf8")
    .trim()
    .split("\n")
    .map(mountOf);
  const folder = (controller: string): string => {
    const path = lines
      .map(pathOf)
      .find(({ controllers }) => controllers.includes(controller))?.path;
    const mount = mounts.find(({ type, options }) => {
      return controller === ""
        ? type === "cgroup2"
        : type === "cgroup" && options.includes(controller);
    });
    if (path === undefined || mount === undefined) return "";
    return `${root}${mount.point}${belowRoot(path, mount.root)}`;
  };
  const [unified, cpuacct, memory] = [folder(""), folder("cpuacct"), folder("memory")];
  return {
    pid,
    cpu: cpuacct === "" ? () => unifiedCpu(unified) : () => numberIn(`${cpuacct}/cpuacct.usage`),
    memory: memory === "" ? () => unifiedMemory(unified) : () => oldMemory(memory),
    opened: () => openedIn(root, pid),
    samples: [],
  };
}

/**
 * Returns: how many TCP connections the kernel has opened to the process's own network namespace; undefined in the
 *         host's. Source: proc(5), net/snmp: a line of names, then a line of numbers.
 */
function openedIn(root: string, pid: number): number | undefined {
  const networkOf = (process: string) => readlinkSync(`${root}/proc/${process}/ns/net`);
  if (networkOf(String(pid)) === networkOf("self")) return undefined;
  const lines = readFileSync(`${root}/proc/${pid}/net/snmp`, "utf8").split("\n");
  const [names = [], numbers = []] = lines
    .filter((line) => line.startsWith("Tcp: "))
    .map((line) => line.split(" "));
  return aCounter(Number(numbers[names.indexOf("PassiveOpens")]), "PassiveOpens");
}

/** Source: cgroups(7): `5:cpu,cpuacct:/docker/…`; version 2 has no controllers: `0::/…`. */
function pathOf(line: string): { controllers: readonly string[]; path: string } {
  const [, controllers = "", ...path] = line.split(":");
  return { controllers: controllers.split(","), path: path.join(":") };
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** Source: proc(5): `36 35 98:0 /root /point rw - type source options`. */
function mountOf(line: string): Mount {
  const [before = "", after = ""] = line.split(" - ");
  const [, , , root = "", point = ""] = before.split(" ");
  const [type = "", , options = ""] = after.split(" ");
  return { root, point, type, options: options.split(",") };
}

/** A mount may show only a part of the groups: its root. */
function belowRoot(path: string, root: string): string {
  if (root === "/" || !path.startsWith(root)) return path;
  return path.slice(root.length);
}

function unifiedCpu(folder: string): number {
  return 1000 * fieldIn(`${folder}/cpu.stat`, "usage_usec");
}

function unifiedMemory(folder: string): number {
  const inactive = fieldIn(`${folder}/memory.stat`, "inactive_file");
  return Math.max(0, numberIn(`${folder}/memory.current`) - inactive);
}

function oldMemory(folder: string): number {
  const inactive = fieldIn(`${folder}/memory.stat`, "total_inactive_file");
  return Math.max(0, numberIn(`${folder}/memory.usage_in_bytes`) - inactive);
}

function numberIn(path: string): number {
  return aCounter(Number(readFileSync(path, "utf8")), path);
}

function fieldIn(path: string, name: string): number {
  const line = readFileSync(path, "utf8")
    .split("\n")
    .find((one) => one.startsWith(`${name} `));
  return aCounter(Number(line?.slice(name.length + 1) ?? 0), path);
}
