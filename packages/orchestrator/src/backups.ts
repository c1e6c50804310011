/**
 * Backups: when volumes are backed up by a schedule. Their hosts' agents make the backups.
 *
 *   due, in time                         a backup of each home of the volume
 *   several are due at once              a backup for the last of them, the others are missed
 *   the one before is still being made   missed
 *   the home's host is down              missed: a backup that is being made when its host goes down waits for it
 *   the volume is moved or restored      missed
 *
 * The schedule is a label of a service that uses the volume; if several services have one, the first by name counts.
 * As for jobs, one change moves the handled moment and begins the backups or notes the misses (cron.ts).
 */
import type { Mint, NodeId } from "@gam/core";
import {
  activeBackups,
  type BackupSchedule,
  type BackupStart,
  backupSchedule,
  backupTarget,
  type CronMiss,
  hindranceOf,
  type PlannedChange,
  type Service,
  servicesByName,
  servicesOf,
  type View,
  type VolumeRecord,
} from "@gam/state";
import { dueSince } from "./service/due.ts";

export interface BackupPlan {
  readonly changes: readonly PlannedChange[];
  /** When another plan is needed without an event; undefined for never. */
  readonly againAtMs: number | undefined;
}

type Handled = Extract<PlannedChange, { kind: "handleBackupDue" }>;

interface Scheduled {
  readonly service: Service;
  readonly schedule: BackupSchedule;
}

export function planBackups(
  view: View,
  { nowMs, mint }: { readonly nowMs: number; readonly mint: Mint },
): BackupPlan {
  const volumes = view.volumes();
  if (volumes.length === 0) return { changes: [], againAtMs: undefined };
  const services = servicesByName(view);
  const changes: PlannedChange[] = [];
  let againAtMs: number | undefined;
  for (const volume of volumes) {
    const planned = planVolume(view, volume, {
      scheduled: scheduleOf(volume, services),
      nowMs,
      mint,
    });
    if (typeof planned === "object") changes.push(planned);
    else if (planned !== undefined) againAtMs = Math.min(againAtMs ?? planned, planned);
  }
  return { changes, againAtMs };
}

function scheduleOf(
  volume: VolumeRecord,
  services: ReadonlyMap<string, Service>,
): Scheduled | undefined {
  for (const service of servicesOf(volume, services)) {
    const schedule = backupSchedule(service.Spec);
    if (schedule !== undefined) return { service, schedule };
  }
  return undefined;
}

/** Returns: a change, or when the next one is due. */
function planVolume(
  view: View,
  volume: VolumeRecord,
  facts: {
    readonly scheduled: Scheduled | undefined;
    readonly nowMs: number;
    readonly mint: Mint;
  },
): Handled | number | undefined {
  const { scheduled, nowMs, mint } = facts;
  const { schedule: known, handledMs: sinceMs } = volume.Backups ?? {};
  const change = {
    kind: "handleBackupDue",
    id: volume.ID,
    sinceMs,
    missed: [],
    starts: [],
  } as const;
  if (scheduled === undefined) return known === undefined ? undefined : change;
  const { schedule } = scheduled;
  const handled = (
    handledMs: number,
    rest: Partial<Pick<Handled, "missed" | "starts">>,
  ): Handled => {
    return { ...change, schedule: schedule.key, handledMs, ...rest };
  };
  if (sinceMs === undefined || known !== schedule.key) return handled(nowMs, {});
  const due = dueSince(schedule.time, sinceMs, nowMs);
  if (due.kind === "set-back") return handled(nowMs, { missed: [due.miss] });
  if (due.kind === "later") return due.atMs;
  const { lastMs, passed } = due;
  const missed: CronMiss[] = [...passed];
  const starts: BackupStart[] = [];
  for (const { node } of volume.Homes) {
    const reason = obstacle(view, volume, node);
    if (reason === undefined) starts.push(startOf(view, scheduled, { node, lastMs, mint }));
    else missed.push({ fromMs: lastMs, untilMs: lastMs, count: 1, reason });
  }
  return handled(lastMs, { missed: missed.slice(-missesMax), starts });
}

/** Misses in one change. With more homes than this, only the last ones are noted. */
const missesMax = 16;

function startOf(
  view: View,
  { service }: Scheduled,
  { node, lastMs, mint }: { readonly node: NodeId; readonly lastMs: number; readonly mint: Mint },
): BackupStart {
  const { to = "", secret: name } = backupTarget(service.Spec) ?? {};
  const secret = view.secrets().find(({ Spec }) => Spec.Name === name)?.ID;
  return {
    ...{ id: mint.id(), node, to, service: service.ID, dueMs: lastMs },
    ...(secret !== undefined && { secret }),
  };
}

/** Returns: why no backup of this home begins now; undefined if one does. */
function obstacle(view: View, volume: VolumeRecord, node: NodeId): string | undefined {
  const hindrance = hindranceOf(volume);
  if (hindrance !== undefined) return hindrance;
  const host = view.node(node);
  const name = host?.Description.Hostname || node;
  if (host === undefined || host.Status.State === "down") return `${name} was down`;
  if (activeBackups(volume).some((one) => one.node === node)) {
    return `the backup before was still being made on ${name}`;
  }
  return undefined;
}
