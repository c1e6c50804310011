/**
 * Volume need: which local volumes bind a task to nodes, and to which.
 *
 * A volume binds a task if it has a name, the engine's own driver and no data on the network. The first placement
 * decides where the volume is. After that:
 *
 *   service with one replica     goes to a node that has the volume, so services that share one meet there
 *   service with several         each slot returns to its own node; a slot that never ran may go anywhere
 *   global service, job of many  not bound
 *
 * Pure functions of the record (volume.ts) and the task. The scheduler asks before it places, and apply asks again:
 * two plans cannot give one volume two homes.
 */
import type { NodeId, VolumeName } from "@gam/core";
import { readLabel } from "../../labels/label-rule.ts";
import { mainName } from "../../labels/pod-labels.ts";
import { volumeLossLabel } from "../../labels/volume-labels.ts";
import type { View } from "../../log/view.ts";
import type { Mount, Service } from "../../objects/service.ts";
import { slotName, type Task } from "../../objects/task.ts";
import {
  type VolumeHome,
  type VolumeRecord,
  volumeNameForm,
  volumeUsersMax,
} from "../../objects/volumes/volume.ts";
import { expandTemplate, type TemplateContext } from "../expand-template.ts";

/** File systems whose data is not on the node, or that keep none. */
const elsewhere = /^(nfs|cifs|smb|ceph|gluster|9p|afs|fuse\.|tmpfs|ramfs)/;

/** Returns: the place of the task in its service, as a volume's record names it. */
export function volumeUser(task: Pick<Task, "Slot" | "NodeID" | "Gam">): string {
  return `${task.Gam.serviceName}.${slotName(task)}`;
}

/** Returns: the names of the volumes that bind the task to nodes, each once, in the order of its mounts. */
export function bindingVolumes(task: Task, service: Service | undefined): readonly VolumeName[] {
  const mounts = task.Spec.ContainerSpec.Mounts ?? [];
  if (mounts.length === 0 || task.Slot === undefined || !mayBind(service)) return [];
  const names = mounts.filter(isLocal).map(({ Source = "" }) => nameOf(Source, task));
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** Each completion of a job is a place of its own, which never returns. */
function mayBind(service: Service | undefined): boolean {
  const job = service?.Spec.Mode.ReplicatedJob;
  return job === undefined || (job.TotalCompletions ?? job.MaxConcurrent ?? 1) <= 1;
}

function isLocal({ Type, Source, VolumeOptions }: Mount): boolean {
  if (Type !== "volume" || Source === undefined || Source === "") return false;
  const { Name = "", Options = {} } = VolumeOptions?.DriverConfig ?? {};
  return (Name === "" || Name === "local") && !elsewhere.test(Options.type ?? "");
}

/**
 * Returns: the volume's name; undefined if the template in it gives another one for each node or each task, so that
 *         no later task could return to it.
 */
function nameOf(source: string, task: Task): VolumeName | undefined {
  const [one, other] = ["a", "b"].map((made) => {
    const expanded = expandTemplate(source, contextOf(task, made));
    return "text" in expanded ? expanded.text : undefined;
  });
  return one === other && volumeNameForm.test(one ?? "") ? (one as VolumeName) : undefined;
}

function contextOf(task: Task, made: string): TemplateContext {
  const { serviceName: Name, serviceLabels: Labels } = task.Gam;
  return {
    Service: { ID: task.ServiceID, Name, Labels },
    Node: { ID: made, Hostname: made, Platform: { Architecture: made, OS: made } },
    Task: { ID: made, Name: made, Slot: slotName(task) },
  };
}

/** Returns: the homes to which the volume binds the task; empty if it may go anywhere. */
export function homesFor(
  { Homes }: Pick<VolumeRecord, "Homes">,
  task: Task,
  view: Pick<View, "node" | "service">,
): readonly VolumeHome[] {
  const user = volumeUser(task);
  const own = Homes.filter(({ users }) => users.includes(user));
  const all = own.length > 0 || isOneOfMany(view.service(task.ServiceID)) ? own : Homes;
  const isFresh = readLabel(volumeLossLabel, task.Gam.serviceLabels) === "fresh";
  return isFresh ? all.filter(({ node }) => isThere(view, node)) : all;
}

/** A part of a pod has as many replicas as its main service, so each slot of it has its own node. */
function isOneOfMany(service: Service | undefined): boolean {
  if (mainName(service?.Spec.Labels) !== undefined) return true;
  return (service?.Spec.Mode.Replicated?.Replicas ?? 1) > 1;
}

function isThere(view: Pick<View, "node">, id: NodeId): boolean {
  const node = view.node(id);
  return node?.Status.State === "ready" && node.Spec.Availability !== "drain";
}

/** Whether no task may use the volume on the node: it is being moved or restored, or only has leftovers. */
export function isBarred({ Move, Restore, Leftovers = [] }: VolumeRecord, node: NodeId): boolean {
  if (Move?.from === node || Move?.to === node || Restore?.node === node) return true;
  return Leftovers.some((one) => one.node === node);
}

/** Whether the task must leave its node, because its volume is being moved away or restored. */
export function mustYield(task: Task, view: Pick<View, "service" | "volume">): boolean {
  const node = task.NodeID;
  if (node === undefined) return false;
  return bindingVolumes(task, view.service(task.ServiceID)).some((name) => {
    const volume = view.volume(name);
    return volume?.Move?.from === node || volume?.Restore?.node === node;
  });
}

/** Returns: the homes once this user is placed on the node; the same list if nothing changes. */
export function homesWith(
  homes: readonly VolumeHome[],
  user: string,
  node: NodeId,
): readonly VolumeHome[] {
  const present = homes.find((home) => home.users.includes(user));
  if (present?.node === node) return homes;
  const left = homes.flatMap((home): VolumeHome | [] => {
    if (home !== present) return home;
    const users = home.users.filter((one) => one !== user);
    // The last user has begun again elsewhere: what is here is out of date.
    return users.length === 0 ? [] : { ...home, users };
  });
  const known = left.find((home) => home.node === node);
  const users = [...(known?.users ?? []), user].slice(-volumeUsersMax);
  if (known === undefined) return [...left, { node, users }];
  return left.map((home) => (home === known ? { node, users } : home));
}
