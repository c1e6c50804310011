/**
 * Node resources: what is free on one node, given the tasks already on it.
 *
 * Only reservations and host ports count here. A task holds its share from its assignment until it has
 * ended, so also while it is being stopped. What containers really use affects the rank (cost.ts), not
 * what is free.
 */
import { sizeText } from "@gam/core";
import {
  claimResources,
  compareStates,
  containerOptions,
  type GenericResource,
  gpuKind,
  hostPorts,
  isTerminal,
  kindAndCount,
  type Node,
  type PortConfig,
  type Task,
} from "@gam/state";

/** Stands for all resources of a kind that a node has. */
const whole = Number.POSITIVE_INFINITY;

/** What one task needs from its node. Equal for all tasks of a group. */
export interface Reservation {
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  /** Kind and number; an infinite number for all that the node has. */
  readonly generic: readonly (readonly [string, number])[];
  /** `tcp/80` and the like. */
  readonly ports: readonly string[];
}

/** Returns: what the task reserves, and the ports that it binds on its node. A placed task reserves what it has got. */
export function reservationOf(
  task: Pick<Task, "Spec" | "Gam"> & Partial<Pick<Task, "GenericResources">>,
): Reservation {
  const reserved = task.Spec.Resources?.Reservations;
  const ports = hostPorts(task.Gam.endpoint).filter((port) => port.PublishedPort);
  return {
    nanoCpus: reserved?.NanoCPUs ?? 0,
    memoryBytes: reserved?.MemoryBytes ?? 0,
    generic: genericOf(task),
    ports: ports.length === 0 ? none : ports.map(portName),
  };
}

const none: readonly never[] = [];

function genericOf({
  Spec,
  Gam,
  GenericResources: got = none,
}: Parameters<typeof reservationOf>[0]): Reservation["generic"] {
  const reserved = Spec.Resources?.Reservations?.GenericResources?.map(kindAndCount) ?? none;
  if (reserved.length === 0 || containerOptions(Gam.serviceLabels).allGpus === undefined) {
    return reserved;
  }
  const has = got.map(kindAndCount).filter(([kind]) => kind === gpuKind);
  const count = has.reduce((sum, [, one]) => sum + one, 0);
  return reserved.map(([kind, one]) => [kind, kind === gpuKind ? count || whole : one]);
}

function portName(port: PortConfig): string {
  return `${port.Protocol ?? "tcp"}/${port.PublishedPort}`;
}

/** Whether the task holds its share of the node. */
function holds(task: Task): boolean {
  return compareStates(task.Status.State, "assigned") >= 0 && !isTerminal(task.Status.State);
}

/** What all tasks on one node hold together. */
class Load {
  tasks = 0;
  tasksComing = 0;
  nanoCpus = 0;
  memoryBytes = 0;
  readonly generic: Map<string, number>;
  readonly ports: Set<string>;
  /** Resources that tasks have got. */
  readonly got: GenericResource[];

  constructor(before?: Load) {
    this.generic = new Map(before?.generic);
    this.ports = new Set(before?.ports);
    this.got = [...(before?.got ?? none)];
    if (before === undefined) return;
    this.tasks = before.tasks;
    this.tasksComing = before.tasksComing;
    this.nanoCpus = before.nanoCpus;
    this.memoryBytes = before.memoryBytes;
  }

  add(reservation: Reservation, coming: number, got: readonly GenericResource[] = none): void {
    this.got.push(...got);
    this.tasks += 1;
    this.tasksComing += coming;
    this.reserve(reservation, 1);
    for (const port of reservation.ports) this.ports.add(port);
  }

  /** `times`: -1 takes the reservation back. */
  reserve({ nanoCpus, memoryBytes, generic }: Reservation, times: 1 | -1): void {
    this.nanoCpus += times * nanoCpus;
    this.memoryBytes += times * memoryBytes;
    for (const [kind, count] of generic) {
      this.generic.set(kind, (this.generic.get(kind) ?? 0) + times * count);
    }
  }
}

/** A cache. A view returns the same list until something in it changes, so most nodes need no new count. */
const loads = new WeakMap<readonly Task[], Load>();

function loadOf(tasks: readonly Task[]): Load {
  let load = loads.get(tasks);
  if (load !== undefined) return load;
  load = new Load();
  for (const task of tasks) {
    if (!holds(task)) continue;
    const coming = task.Status.State === "running" ? 0 : 1;
    load.add(reservationOf(task), coming, task.GenericResources);
  }
  loads.set(tasks, load);
  return load;
}

/** Returns: "1.5" for 1500000000. */
function cpuText(nanoCpus: number): string {
  return String(Math.round(nanoCpus / 1e7) / 100);
}

export class NodeResources {
  readonly node: Node;
  readonly #load: Load;

  constructor(node: Node, tasks: readonly Task[]) {
    this.node = node;
    this.#load = new Load(loadOf(tasks));
  }

  /** Tasks that hold a share. */
  get tasks(): number {
    return this.#load.tasks;
  }
  /** Those that do not run yet, so no measurement includes them. */
  get tasksComing(): number {
    return this.#load.tasksComing;
  }
  get nanoCpus(): number {
    return this.#load.nanoCpus;
  }
  get memoryBytes(): number {
    return this.#load.memoryBytes;
  }

  hasResources(reservation: Reservation): boolean {
    const { NanoCPUs, MemoryBytes } = this.node.Description.Resources;
    return (
      (reservation.nanoCpus === 0 || this.nanoCpus + reservation.nanoCpus <= NanoCPUs) &&
      (reservation.memoryBytes === 0 ||
        this.memoryBytes + reservation.memoryBytes <= MemoryBytes) &&
      reservation.generic.every(([kind, count]) => this.#hasGeneric(kind, count))
    );
  }

  #hasGeneric(kind: string, count: number): boolean {
    const free = this.#genericFree(kind);
    return count === whole ? free > 0 && free === this.#genericWhole(kind) : free >= count;
  }

  #genericWhole(wanted: string): number {
    const all = (this.node.Description.Resources.GenericResources ?? none).map(kindAndCount);
    return all.reduce((sum, [kind, count]) => (kind === wanted ? sum + count : sum), 0);
  }

  /** Puts the node's number for what stands for all that it has. */
  #counted(reservation: Reservation): Reservation {
    if (!reservation.generic.some(([, count]) => count === whole)) return reservation;
    const generic = reservation.generic.map(([kind, count]) => {
      return [kind, count === whole ? this.#genericWhole(kind) : count] as const;
    });
    return { ...reservation, generic };
  }

  #genericFree(wanted: string): number {
    return this.#genericWhole(wanted) - (this.#load.generic.get(wanted) ?? 0);
  }

  /** Returns: what the node lacks for the reservation: "memory: 8 GiB asked, 2 GiB of 4 GiB free" and the like. */
  shortages(reservation: Reservation): string[] {
    const { NanoCPUs, MemoryBytes } = this.node.Description.Resources;
    const short: string[] = [];
    const { nanoCpus, memoryBytes } = reservation;
    if (nanoCpus > 0 && this.nanoCpus + nanoCpus > NanoCPUs) {
      const free = cpuText(Math.max(0, NanoCPUs - this.nanoCpus));
      short.push(`CPUs: ${cpuText(nanoCpus)} asked, ${free} of ${cpuText(NanoCPUs)} free`);
    }
    if (memoryBytes > 0 && this.memoryBytes + memoryBytes > MemoryBytes) {
      const free = sizeText(Math.max(0, MemoryBytes - this.memoryBytes));
      short.push(
        `memory: ${sizeText(memoryBytes)} asked, ${free} of ${sizeText(MemoryBytes)} free`,
      );
    }
    for (const [kind, count] of reservation.generic) {
      const free = Math.max(0, this.#genericFree(kind));
      if (this.#hasGeneric(kind, count)) continue;
      const all = `all asked, ${free} of ${this.#genericWhole(kind)} free`;
      short.push(`${kind}: ${count === whole ? all : `${count} asked, ${free} free`}`);
    }
    return short;
  }

  /** Returns: the ports of the reservation that tasks on the node have bound. */
  takenPorts(reservation: Reservation): string[] {
    return reservation.ports.filter((port) => this.#load.ports.has(port));
  }

  hasPorts(reservation: Reservation): boolean {
    return !reservation.ports.some((port) => this.#load.ports.has(port));
  }

  /** Keeps room for a task that is to come. */
  keep(reservation: Reservation): void {
    this.#load.reserve(this.#counted(reservation), 1);
  }

  /** Gives back what keep() took. */
  giveBack(reservation: Reservation): void {
    this.#load.reserve(this.#counted(reservation), -1);
  }

  /** Counts one more task, which does not run yet. Returns: the generic resources that it gets. */
  take(asked: Reservation): readonly GenericResource[] {
    const reservation = this.#counted(asked);
    const has = this.node.Description.Resources.GenericResources ?? none;
    const got =
      reservation.generic.length === 0
        ? none
        : claimResources(reservation.generic, has, this.#load.got);
    this.#load.add(reservation, 1, got);
    return got;
  }
}
