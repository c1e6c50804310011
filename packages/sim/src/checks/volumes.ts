/**
 * Volumes: no place of a service begins on another node than the one that has its local volume, from the log alone.
 *
 * Independent of the cluster's own record of volumes, which it tests. A place is free again when its node is removed.
 */
import type { NodeId } from "@gam/core";
import type { Event, Task, View } from "@gam/state";
import { Breach } from "./breach.ts";

export class VolumeHistory {
  /** By place and volume: the node of the first task. */
  readonly #nodes = new Map<string, NodeId>();

  take(event: Event): void {
    if (event.table === "node" && event.after === undefined) {
      for (const [place, node] of this.#nodes) {
        if (node === event.before?.ID) this.#nodes.delete(place);
      }
    }
    if (event.table !== "task" || event.after === undefined) return;
    const { before, after } = event;
    if (after.NodeID === undefined || before?.NodeID === after.NodeID) return;
    for (const place of placesOf(after)) {
      const known: NodeId = this.#nodes.get(place) ?? after.NodeID;
      this.#nodes.set(place, known);
      if (known === after.NodeID) continue;
      throw new Breach(`${place} has its data on ${known} and begins empty on ${after.NodeID}`);
    }
  }
}

function placesOf({ Slot, Spec, Gam }: Task): readonly string[] {
  if (Slot === undefined) return [];
  const mounts = Spec.ContainerSpec.Mounts ?? [];
  return mounts.map(({ Source }) => `${Gam.serviceName}.${Slot} with volume ${Source}`);
}

/** Whether the task rightly waits: the node that has the volume of its place takes no tasks. */
export function awaitsVolume(task: Task, view: View): boolean {
  const reason = task.Status.Err ?? "";
  if (task.Status.State !== "pending" || !/\(volume \S+ is on /.test(reason)) return false;
  return view.volumes().some(({ ID, Homes }) => {
    if (!reason.includes(`volume ${ID} is on`)) return false;
    const user = `${task.Gam.serviceName}.${task.Slot}`;
    const own = Homes.filter(({ users }) => users.includes(user));
    const nodes = (own.length > 0 ? own : Homes).map(({ node }) => view.node(node));
    return nodes.every((node) => node?.Spec.Availability === "drain");
  });
}
