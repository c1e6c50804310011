/**
 * Volume change: the effect of changes on the records of volumes, and why a change is refused.
 *
 * A move has one owner at every moment: the old node until endVolumeMove, the new one from then on. What is on
 * the other node is a leftover, which no task can use and only its own node removes.
 */
import { type NodeId, unreachable } from "@gam/core";
import {
  bindingVolumes,
  homesFor,
  homesWith,
  isBarred,
  volumeUser,
} from "../../derived/volumes/volume-need.ts";
import type { ChangeOf, Refusal } from "../../log/change.ts";
import { born, moved, type Occasion } from "../../log/occasion.ts";
import type { Event, View } from "../../log/view.ts";
import type { Node } from "../../objects/node.ts";
import type { Task } from "../../objects/task.ts";
import type { VolumeLeftover, VolumeMove, VolumeRecord } from "../../objects/volumes/volume.ts";
import {
  type BackupChange,
  backupAfter,
  backupRefusal,
  hindranceOf,
  restoreRefusal,
  withoutNodesWork,
} from "./backup-change.ts";

type Change = ChangeOf<"volume">;
type Of<Kind extends Change["kind"]> = Extract<Change, { readonly kind: Kind }>;

type MoveChange = Of<
  "stopVolumeMove" | "abandonVolumeMove" | "beginVolumeCopy" | "reportVolumeMove" | "endVolumeMove"
>;

export function volumeRefusal(view: View, change: Change): Refusal | undefined {
  switch (change.kind) {
    case "removeVolume":
      return removalRefusal(view, change);
    case "moveVolume":
      return moveRefusal(view, change);
    case "backupVolume":
      return backupRefusal(view, change);
    case "restoreVolume":
      return restoreRefusal(view, change);
    default:
      return undefined;
  }
}

function removalRefusal(view: View, { id, node }: Of<"removeVolume">): Refusal | undefined {
  const volume = view.volume(id);
  const hindrance = volume && hindranceOf(volume);
  if (hindrance !== undefined) return { code: "IN_USE", message: hindrance };
  if (volume?.Homes.some((home) => home.node === node)) return undefined;
  if (volume !== undefined && volume.Homes.length === 0) return undefined;
  return notThere(view, id, node);
}

function notThere(view: View, id: string, node: NodeId): Refusal {
  const host = view.node(node)?.Description.Hostname || node;
  return { code: "NOT_FOUND", message: `no service has used volume ${id} on ${host}` };
}

function moveRefusal(view: View, { id, from, to }: Of<"moveVolume">): Refusal | undefined {
  const volume = view.volume(id);
  if (volume === undefined) {
    const message = `volume ${id} not found: no task of a service has used it`;
    return { code: "NOT_FOUND", message };
  }
  const hindrance = hindranceOf(volume);
  if (hindrance !== undefined) return { code: "IN_USE", message: hindrance };
  const homes = volume.Homes.map(({ node }) => node);
  if (!homes.includes(from)) return notThere(view, id, from);
  const target = view.node(to);
  if (target === undefined) return { code: "NOT_FOUND", message: `node ${to} not found` };
  const { Hostname } = target.Description;
  const isThere = homes.includes(to);
  if (isThere) return { code: "IN_USE", message: `volume ${id} has data on ${Hostname} already` };
  if (volume.Leftovers?.some(({ node }) => node === to)) {
    const message = `${Hostname} has not removed yet what an earlier move of volume ${id} left there`;
    return { code: "IN_USE", message };
  }
  if (target.Status.State === "ready" && view.node(from)?.Status.State === "ready")
    return undefined;
  return { code: "IN_USE", message: `both hosts of the move of volume ${id} must be ready` };
}

/** As TableRule.after. */
export function volumeAfter(
  volume: VolumeRecord | undefined,
  change: Change,
  on: Occasion,
): VolumeRecord | undefined {
  if (isAboutBackups(change)) return backupAfter(volume, change, on);
  if (volume === undefined) return undefined;
  switch (change.kind) {
    case "removeVolume": {
      const Homes = volume.Homes.filter((home) => home.node !== change.node);
      return kept({ ...volume, ...moved(on), Homes });
    }
    case "moveVolume": {
      const { move: id, from, to } = change;
      const Move = { id, from, to, startedAt: on.at, bytes: 0, totalBytes: 0 };
      return { ...volume, ...moved(on), Move };
    }
    case "dropVolumeLeftover": {
      const { node, move } = change;
      const Leftovers = (volume.Leftovers ?? []).filter((one) => {
        return one.node !== node || one.move !== move;
      });
      return kept({ ...volume, UpdatedAt: on.at, Leftovers });
    }
    default:
      return isPresent(volume.Move, change) ? afterMove(volume, volume.Move, change, on) : volume;
  }
}

function isAboutBackups(change: Change): change is BackupChange {
  switch (change.kind) {
    case "backupVolume":
    case "endBackup":
    case "handleBackupDue":
    case "restoreVolume":
    case "endVolumeRestore":
      return true;
    default:
      return false;
  }
}

/** A report of an earlier copy may come late: its data is being written anew. */
function isPresent(move: VolumeMove | undefined, change: MoveChange): move is VolumeMove {
  if (move?.id !== change.move) return false;
  const isOfCopy = change.kind === "reportVolumeMove" || change.kind === "endVolumeMove";
  return !isOfCopy || move.copy === change.copy;
}

/** A record without a home, and without data to remove, is of no more use. */
function kept(volume: VolumeRecord): VolumeRecord | undefined {
  return volume.Homes.length === 0 && !volume.Leftovers?.length ? undefined : volume;
}

function afterMove(
  { Move: _, ...volume }: VolumeRecord,
  move: VolumeMove,
  change: MoveChange,
  on: Occasion,
): VolumeRecord {
  const { id, from, to } = move;
  const last = { id, from, to, at: on.at };
  switch (change.kind) {
    case "beginVolumeCopy": {
      const Move = { ...move, copy: change.copy, bytes: 0 };
      return { ...volume, UpdatedAt: on.at, Move };
    }
    case "reportVolumeMove": {
      const { bytes, totalBytes } = change;
      return { ...volume, UpdatedAt: on.at, Move: { ...move, bytes, totalBytes } };
    }
    case "stopVolumeMove":
    case "abandonVolumeMove":
      return {
        ...left(volume, { node: to, move: id, was: "copy" }, on),
        LastMove: { ...last, error: change.error },
      };
    case "endVolumeMove": {
      const Homes = volume.Homes.map((home) => (home.node === from ? { ...home, node: to } : home));
      const { digest } = change;
      return {
        ...left(volume, { node: from, move: id, was: "source" }, on),
        ...moved(on),
        Homes,
        LastMove: { ...last, digest },
      };
    }
    default:
      unreachable(change);
  }
}

/** Adds data to be removed, unless its node is gone. */
function left(volume: VolumeRecord, leftover: VolumeLeftover, on: Occasion): VolumeRecord {
  if (on.view.node(leftover.node) === undefined) return volume;
  return { ...volume, UpdatedAt: on.at, Leftovers: [...(volume.Leftovers ?? []), leftover] };
}

/** Whether the volumes of the task allow this node. */
export function volumesAllow(task: Task, node: NodeId, view: View): boolean {
  return bindingVolumes(task, view.service(task.ServiceID)).every((name) => {
    const volume = view.volume(name);
    if (volume === undefined) return true;
    if (isBarred(volume, node)) return false;
    const homes = homesFor(volume, task, view);
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

/** Returns: the records of the volumes that had a home, a move, a leftover or a backup on the removed node. */
export function freedByNode(node: Node, on: Occasion): readonly Event[] {
  return on.view.volumes().flatMap((before): Event[] => {
    const after = withoutNode(before, node, on);
    return after === before ? [] : [{ table: "volume", before, ...(after && { after }) }];
  });
}

function withoutNode(
  before: VolumeRecord,
  { ID, Description }: Node,
  on: Occasion,
): VolumeRecord | undefined {
  const volume = withoutNodesWork(before, ID);
  const { Move } = volume;
  const isPart = Move?.from === ID || Move?.to === ID;
  const isLeft = volume.Leftovers?.some((one) => one.node === ID) === true;
  const Homes = volume.Homes.filter((home) => home.node !== ID);
  const isHome = Homes.length < volume.Homes.length;
  if (!isPart && !isLeft && !isHome) return volume;
  const hostname = Description.Hostname || ID;
  const error = `${hostname} was removed`;
  const still =
    isPart && Move !== undefined
      ? afterMove(volume, Move, { kind: "stopVolumeMove", id: volume.ID, move: Move.id, error }, on)
      : volume;
  const Leftovers = (still.Leftovers ?? []).filter((one) => one.node !== ID);
  const lost = isHome && Homes.length === 0 && { LostWith: hostname };
  return { ...still, ...moved(on), Homes, ...(still.Leftovers && { Leftovers }), ...lost };
}
