/**
 * Room: what is left on one node, counting the tasks that are on it already.
 *
 * Only promises count here: reservations, and host ports. A task holds its share from the moment it is
 * assigned until it has ended, so also while it is being stopped. What containers really use is a
 * matter of rank (cost.ts), not of room.
 */
import {
  compareStates,
  type GenericResource,
  hostPorts,
  isTerminal,
  type Node,
  type PortConfig,
  type Task,
} from "@gam/state";

/** What one task asks of its node. Equal for all tasks of a group. */
export interface Need {
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  /** Kind and how many. */
  readonly generic: readonly (readonly [string, number])[];
  /** `tcp/80` and the like. */
  readonly ports: readonly string[];
}

/** What the task reserves, and the ports that it binds on its node. */
export function needOf(task: Pick<Task, "Spec" | "Gam">): Need {
  const reserved = task.Spec.Resources?.Reservations;
  const ports = hostPorts(task.Gam.endpoint).filter((port) => port.PublishedPort);
  return {
    nanoCpus: reserved?.NanoCPUs ?? 0,
    memoryBytes: reserved?.MemoryBytes ?? 0,
    generic: reserved?.GenericResources?.map(kindAndCount) ?? none,
    ports: ports.length === 0 ? none : ports.map(portName),
  };
}

const none: readonly never[] = [];

function portName(port: PortConfig): string {
  return `${port.Protocol ?? "tcp"}/${port.PublishedPort}`;
}

/** A named resource counts as one of its kind. */
function kindAndCount(resource: GenericResource): readonly [string, number] {
  const { NamedResourceSpec: named, DiscreteResourceSpec: discrete } = resource;
  return named === undefined ? [discrete?.Kind ?? "", discrete?.Value ?? 0] : [named.Kind, 1];
}

/** The task holds its share of the node. */
function holds(task: Task): boolean {
  return compareStates(task.Status.State, "assigned") >= 0 && !isTerminal(task.Status.State);
}

export class Room {
  readonly node: Node;
  /** Tasks that hold a share. */
  tasks = 0;
  /** Those of them that do not run yet, so that no measurement shows them. */
  tasksComing = 0;
  nanoCpus = 0;
  memoryBytes = 0;
  readonly #genericFree = new Map<string, number>();
  readonly #ports = new Set<string>();

  constructor(node: Node, tasks: readonly Task[]) {
    this.node = node;
    for (const [kind, count] of node.Description.Resources.GenericResources?.map(kindAndCount) ??
      none) {
      this.#genericFree.set(kind, (this.#genericFree.get(kind) ?? 0) + count);
    }
    for (const task of tasks) {
      if (!holds(task)) continue;
      const runs = task.Status.State === "running";
      this.take(needOf(task), runs ? 0 : 1);
    }
  }

  hasResources(need: Need): boolean {
    const { NanoCPUs, MemoryBytes } = this.node.Description.Resources;
    return (
      (need.nanoCpus === 0 || this.nanoCpus + need.nanoCpus <= NanoCPUs) &&
      (need.memoryBytes === 0 || this.memoryBytes + need.memoryBytes <= MemoryBytes) &&
      need.generic.every(([kind, count]) => (this.#genericFree.get(kind) ?? 0) >= count)
    );
  }

  hasPorts(need: Need): boolean {
    return !need.ports.some((port) => this.#ports.has(port));
  }

  take(need: Need, coming = 1): void {
    this.tasks += 1;
    this.tasksComing += coming;
    this.nanoCpus += need.nanoCpus;
    this.memoryBytes += need.memoryBytes;
    for (const [kind, count] of need.generic) {
      this.#genericFree.set(kind, (this.#genericFree.get(kind) ?? 0) - count);
    }
    for (const port of need.ports) this.#ports.add(port);
  }
}
