/** Volume change: the effect of changes on the records of volumes, and why a change is refused. */
import type { NodeId } from "@gam/core";
import { bindingVolumes, homesFor, homesWith, volumeUser } from "../derived/volumes/volume-need.ts";
import type { ChangeOf, Refusal } from "../log/change.ts";
import { born, moved, type Occasion } from "../log/occasion.ts";
import type { Event, View } from "../log/view.ts";
import type { Node } from "../objects/node.ts";
import type { Task } from "../objects/task.ts";
import type { VolumeRecord } from "../objects/volumes/volume.ts";

type Change = ChangeOf<"volume">;

export function volumeRefusal(view: View, { id, node }: Change): Refusal | undefined {
  const volume = view.volume(id);
  if (volume?.Homes.some((home) => home.node === node)) return undefined;
  if (volume !== undefined && volume.Homes.length === 0) return undefined;
  return { code: "NOT_FOUND", message: `volume ${id} not found on node ${node}` };
}

/** As TableRule.after. */
export function volumeAfter(
  volume: VolumeRecord | undefined,
  { node }: Change,
  on: Occasion,
): VolumeRecord | undefined {
  if (volume === undefined) return undefined;
  const Homes = volume.Homes.filter((home) => home.node !== node);
  return Homes.length === 0 ? undefined : { ...volume, ...moved(on), Homes };
}

/** Whether the volumes of the task allow this node. */
export function volumesAllow(task: Task, node: NodeId, view: View): boolean {
  return bindingVolumes(task, view.service(task.ServiceID)).every((name) => {
    const volume = view.volume(name);
    const homes = volume === undefined ? [] : homesFor(volume, task, view);
    return homes.length === 0 || homes.some((home) => home.node === node);
  });
}

/** Returns: the records of the volumes that the task uses on the node from now on. */
export function boundByTask(task: Task, node: NodeId, on: Occasion): readonly Event[] {
  return bindingVolumes(task, on.view.service(task.ServiceID)).flatMap((name): Event[] => {
    const before = on.view.volume(name);
    const homes = before?.Homes ?? [];
    const Homes = homesWith(homes, volumeUser(task), node);
    if (before !== undefined && Homes === homes) return [];
    const { LostWith: _, ...rest }: VolumeRecord = before ?? { ...born(on), ID: name, Homes };
    return [
      { table: "volume", ...(before && { before }), after: { ...rest, ...moved(on), Homes } },
    ];
  });
}

/** Returns: the records of the volumes that had a home on the removed node. */
export function freedByNode(node: Node, on: Occasion): readonly Event[] {
  return on.view.volumes().flatMap((before): Event[] => {
    const Homes = before.Homes.filter((home) => home.node !== node.ID);
    if (Homes.length === before.Homes.length) return [];
    const lost = Homes.length === 0 && { LostWith: node.Description.Hostname || node.ID };
    return [{ table: "volume", before, after: { ...before, ...moved(on), Homes, ...lost } }];
  });
}
