/**
 * Volume binding: on which nodes the local volumes of a task let it run.
 *
 * A task waits with the reason while the node of its volume does not take tasks: elsewhere it would start empty. It
 * also waits while an earlier task of its slot is still stopping on that node, if that task did not get its order
 * to stop with the new one (`after`): two tasks on one volume could destroy the data.
 *
 * Counts what the present plan has placed, too. So services that share a new volume get one node in one plan.
 */
import type { NodeId, VolumeName } from "@gam/core";
import {
  bindingVolumes,
  homesFor,
  homesWith,
  isBarred,
  isTerminal,
  isWanted,
  type Node,
  type Task,
  type View,
  type VolumeHome,
  type VolumeRecord,
  volumeUser,
} from "@gam/state";

export interface Binding {
  /** Nodes that have the volumes and take tasks. */
  readonly nodes: ReadonlySet<NodeId>;
  /** Why no other node will do: "volume db_data is on host2, which is down". */
  readonly reason: string;
  /** The same for tasks with the same binding. */
  readonly key: string;
}

export class VolumeBindings {
  readonly #view: View;
  /** Homes that the present plan has added. */
  readonly #planned = new Map<VolumeName, readonly VolumeHome[]>();

  constructor(view: View) {
    this.#view = view;
  }

  /** Returns: undefined for a task that may go anywhere. */
  of(task: Task): Binding | undefined {
    const barred = new Set<NodeId>();
    const bound = this.#names(task).flatMap((name): { name: string; ids: readonly NodeId[] }[] => {
      const homes = homesFor({ Homes: this.#homes(name) }, task, this.#view);
      const volume = this.#view.volume(name);
      for (const { node } of homes) if (volume && isBarred(volume, node)) barred.add(node);
      return homes.length === 0 ? [] : [{ name, ids: homes.map(({ node }) => node) }];
    });
    const closed = this.#closed(task, bound.length === 0);
    if (bound.length === 0) return closed;
    const [first = [], ...more] = bound.map(({ ids }) => ids);
    const all = first.filter((id) => more.every((ids) => ids.includes(id)));
    const busy = all.map((id) => this.#stopping(task, id)).find((one) => one !== undefined);
    if (closed !== undefined) return { nodes: new Set(), reason: closed.reason, key: closed.key };
    const open = all.filter((id) => takesTasks(this.#view.node(id)) && !barred.has(id));
    const nodes = new Set(busy === undefined ? open : []);
    const apart = all.length === 0 ? ": these hosts have no host in common" : "";
    const places = bound.map(({ name, ids }) => `volume ${name} is on ${this.#list(ids)}`);
    const waits = busy === undefined ? "" : `, where task ${busy.ID} is still stopping`;
    const reason = `${places.join("; ")}${apart}${waits}`;
    return { nodes, reason, key: reason };
  }

  /** The present plan places the task there. */
  placed(task: Task, node: NodeId): void {
    for (const name of this.#names(task)) {
      this.#planned.set(name, homesWith(this.#homes(name), volumeUser(task), node));
    }
  }

  /** Returns: what a task should be told that begins with an empty volume because a node was removed. */
  lossOf(task: Task): string | undefined {
    for (const name of this.#names(task)) {
      const host = this.#view.volume(name)?.LostWith;
      if (host !== undefined) return `volume ${name} begins empty, because ${host} was removed`;
    }
    return undefined;
  }

  #names(task: Task): readonly VolumeName[] {
    return bindingVolumes(task, this.#view.service(task.ServiceID));
  }

  #homes(name: VolumeName): readonly VolumeHome[] {
    return this.#planned.get(name) ?? this.#view.volume(name)?.Homes ?? [];
  }

  /** Returns: where a task may not go because a volume is being moved or restored, or was moved. Undefined: no volume is. */
  #closed(task: Task, isFree: boolean): Binding | undefined {
    const reasons: string[] = [];
    let nodes = this.#view.nodes();
    for (const name of this.#names(task)) {
      const volume = this.#view.volume(name);
      if (volume === undefined || !isPartlyBarred(volume)) continue;
      const homes = homesFor({ Homes: this.#homes(name) }, task, this.#view);
      const isOpen = homes.some(({ node }) => !isBarred(volume, node));
      if (!isFree && isOpen) continue;
      nodes = nodes.filter(({ ID }) => !isBarred(volume, ID));
      reasons.push(this.#hindrance(name, volume));
    }
    if (reasons.length === 0) return undefined;
    const reason = reasons.join("; ");
    return { nodes: new Set(nodes.map(({ ID }) => ID)), reason, key: reason };
  }

  #hindrance(name: VolumeName, { Move, Restore }: VolumeRecord): string {
    if (Move !== undefined) {
      return `volume ${name} is being moved from ${this.#host(Move.from)} to ${this.#host(Move.to)}`;
    }
    if (Restore !== undefined)
      return `volume ${name} is being restored on ${this.#host(Restore.node)}`;
    return `an earlier move of volume ${name} has left data there`;
  }

  #host(id: NodeId | undefined): string {
    return (id && this.#view.node(id)?.Description.Hostname) || (id ?? "");
  }

  #stopping(task: Task, id: NodeId): Task | undefined {
    return this.#view.tasksOn(id).find((other) => {
      if (other.ServiceID !== task.ServiceID || other.Slot !== task.Slot) return false;
      if (other.ID === task.ID || other.ID === task.Gam.after) return false;
      return !isWanted(other) && !isTerminal(other.Status.State);
    });
  }

  #list(ids: readonly NodeId[]): string {
    const hosts = ids.map((id) => {
      const node = this.#view.node(id);
      return `${node?.Description.Hostname || id}${conditionOf(node)}`;
    });
    return hosts.length < 2 ? hosts.join() : `${hosts.slice(0, -1).join(", ")} and ${hosts.at(-1)}`;
  }
}

function isPartlyBarred({ Move, Restore, Leftovers = [] }: VolumeRecord): boolean {
  return Move !== undefined || Restore !== undefined || Leftovers.length > 0;
}

function takesTasks(node: Node | undefined): boolean {
  return node?.Status.State === "ready" && node.Spec.Availability === "active";
}

function conditionOf(node: Node | undefined): string {
  if (node === undefined || node.Status.State !== "ready") {
    return `, which is ${node?.Status.State ?? "gone"}`;
  }
  switch (node.Spec.Availability) {
    case "drain":
      return ", which is drained";
    case "pause":
      return ", which is paused";
    default:
      return "";
  }
}
