/**
 * Backup change: the effect of changes about backups and restores on the record of a volume, and why one is refused.
 *
 * A restore has its data whole on the disk before the record says so. From then on no task uses the volume there,
 * until its node has put the data in its place, or given up.
 */
import { type NodeId, unreachable } from "@gam/core";
import { withMiss } from "../../derived/with-miss.ts";
import type { BackupStart, ChangeOf, Refusal } from "../../log/change.ts";
import { born, moved, type Occasion } from "../../log/occasion.ts";
import type { View } from "../../log/view.ts";
import type { CronMiss } from "../../objects/service.ts";
import {
  type Backup,
  backupMissesMax,
  backupsActiveMax,
  backupsMax,
  type VolumeBackups,
} from "../../objects/volumes/backup.ts";
import type { VolumeRecord } from "../../objects/volumes/volume.ts";

type Of<Kind extends ChangeOf<"volume">["kind"]> = Extract<
  ChangeOf<"volume">,
  { readonly kind: Kind }
>;
export type BackupChange = Of<
  "backupVolume" | "endBackup" | "handleBackupDue" | "restoreVolume" | "endVolumeRestore"
>;

const none: VolumeBackups = { list: [], missed: [] };

/** Returns: the backups that are being made. */
export function activeBackups({ Backups }: Pick<VolumeRecord, "Backups">): readonly Backup[] {
  return (Backups?.list ?? []).filter(({ end }) => end === undefined);
}

export function backupRefusal(view: View, { id, backup }: Of<"backupVolume">): Refusal | undefined {
  const volume = view.volume(id);
  const host = hostOf(view, backup.node);
  if (!volume?.Homes.some(({ node }) => node === backup.node)) {
    return { code: "NOT_FOUND", message: `no service has used volume ${id} on ${host}` };
  }
  const hindrance = hindranceOf(volume);
  if (hindrance !== undefined) return { code: "IN_USE", message: hindrance };
  if (mayStart(volume, backup, volume.Backups?.list ?? [])) return undefined;
  return { code: "IN_USE", message: `volume ${id} is being backed up on ${host}` };
}

export function restoreRefusal(view: View, { id, node }: Of<"restoreVolume">): Refusal | undefined {
  if (view.node(node) === undefined) {
    return { code: "NOT_FOUND", message: `node ${node} not found` };
  }
  const volume = view.volume(id);
  if (volume === undefined) return undefined;
  const hindrance = hindranceOf(volume);
  if (hindrance !== undefined) return { code: "IN_USE", message: hindrance };
  const host = hostOf(view, node);
  if (volume.Leftovers?.some((one) => one.node === node)) {
    const message = `${host} has not removed yet what an earlier move of volume ${id} left there`;
    return { code: "IN_USE", message };
  }
  if (volume.Homes.length === 0 || volume.Homes.some((home) => home.node === node)) {
    return undefined;
  }
  const homes = volume.Homes.map((home) => hostOf(view, home.node)).join(" and ");
  const message = `volume ${id} has its data on ${homes}, not on ${host}: restore it there, or under another name`;
  return { code: "IN_USE", message };
}

/** Returns: why neither a backup nor a restore nor a move can begin. */
export function hindranceOf({ ID, Move, Restore }: VolumeRecord): string | undefined {
  if (Move !== undefined) return `volume ${ID} is being moved`;
  return Restore === undefined ? undefined : `volume ${ID} is being restored`;
}

function hostOf(view: View, node: NodeId): string {
  return view.node(node)?.Description.Hostname || node;
}

/** As TableRule.after. */
export function backupAfter(
  volume: VolumeRecord | undefined,
  change: BackupChange,
  on: Occasion,
): VolumeRecord | undefined {
  if (change.kind === "restoreVolume") return restoring(volume, change, on);
  if (volume === undefined) return undefined;
  const { Backups = none } = volume;
  switch (change.kind) {
    case "backupVolume": {
      const list = [...Backups.list, { ...change.backup, by: "hand" } as const];
      return { ...volume, ...moved(on), Backups: trimmed({ ...Backups, list }) };
    }
    case "endBackup":
      return backupEnded(volume, change, on);
    case "handleBackupDue":
      return dueHandled(volume, change, on);
    case "endVolumeRestore": {
      const { Restore, ...rest } = volume;
      if (Restore === undefined || Restore.id !== change.restore) return volume;
      const { startedAt: _, ...restore } = Restore;
      const { error } = change;
      const LastRestore = { ...restore, at: on.at, ...(error !== undefined && { error }) };
      return { ...rest, ...moved(on), LastRestore };
    }
    default:
      unreachable(change);
  }
}

function backupEnded(
  volume: VolumeRecord,
  { backup, end, dropped }: Of<"endBackup">,
  on: Occasion,
): VolumeRecord {
  const { Backups } = volume;
  const isActive = activeBackups(volume).some(({ id }) => id === backup);
  if (Backups === undefined || !isActive) return volume;
  const list = Backups.list
    .filter((one) => one.end === undefined || !dropped.includes(one.id))
    .map((one) => (one.id === backup ? { ...one, end } : one));
  return { ...volume, UpdatedAt: on.at, Backups: trimmed({ ...Backups, list }) };
}

function dueHandled(
  volume: VolumeRecord,
  { sinceMs, handledMs, schedule, missed, starts }: Of<"handleBackupDue">,
  on: Occasion,
): VolumeRecord {
  const { Backups = none } = volume;
  if (Backups.handledMs !== sinceMs) return volume;
  const { list } = Backups;
  const begun: Backup[] = [...list];
  for (const start of starts) {
    if (mayStart(volume, start, begun)) begun.push({ ...start, by: "schedule" });
  }
  // Also one that is still being made, or failed: its due time was not missed.
  const runs = begun.filter(({ by }) => by === "schedule");
  const misses = missed.reduce(
    (all: readonly CronMiss[], one) => withMiss(all, one, runs),
    [...Backups.missed],
  );
  const next: VolumeBackups = {
    ...(schedule !== undefined && { schedule }),
    ...(handledMs !== undefined && { handledMs }),
    list: begun,
    missed: misses,
  };
  return { ...volume, UpdatedAt: on.at, Backups: trimmed(next) };
}

/** The plan may be older than the record. */
function mayStart(
  volume: VolumeRecord,
  { node, id }: BackupStart,
  list: readonly Backup[],
): boolean {
  if (!volume.Homes.some((home) => home.node === node)) return false;
  return !list.some((one) => one.id === id || (one.node === node && one.end === undefined));
}

/** Keeps those that are being made and the last ended ones. */
function trimmed({ list, missed, ...rest }: VolumeBackups): VolumeBackups {
  const ended = list.filter(({ end }) => end !== undefined);
  const surplus = new Set(ended.slice(0, Math.max(0, ended.length - backupsMax)));
  return {
    ...rest,
    list: list.filter((one) => !surplus.has(one)).slice(-(backupsMax + backupsActiveMax)),
    missed: missed.slice(-backupMissesMax),
  };
}

function restoring(
  volume: VolumeRecord | undefined,
  { id, restore, node, source, bytes, digest }: Of<"restoreVolume">,
  on: Occasion,
): VolumeRecord {
  const { LostWith: _, ...before }: VolumeRecord = volume ?? { ...born(on), ID: id, Homes: [] };
  const Homes = before.Homes.length === 0 ? [{ node, users: [] }] : before.Homes;
  const Restore = { id: restore, node, source, bytes, digest, startedAt: on.at };
  return { ...before, ...moved(on), Homes, Restore };
}

/** Returns: the record without what a removed node was doing with the volume; the same one if it was nothing. */
export function withoutNodesWork(volume: VolumeRecord, node: NodeId): VolumeRecord {
  const { Restore, Backups, ...rest } = volume;
  const isRestoring = Restore?.node === node;
  const isMaking = activeBackups(volume).some((one) => one.node === node);
  if (!isRestoring && !isMaking) return volume;
  const list = (Backups?.list ?? []).filter((one) => one.node !== node || one.end !== undefined);
  return {
    ...rest,
    ...(Restore && !isRestoring && { Restore }),
    ...(Backups && { Backups: { ...Backups, list } }),
  };
}
