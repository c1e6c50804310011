/** Backup view: what `gam volume backup ls` shows, and what a restore would do. */
import { sizeText } from "@gam/core";
import type { BackupList, BackupRow, RestorePlan } from "@gam/state/answers";
import { columns } from "../columns.ts";
import { moment } from "../moment.ts";

interface Row {
  readonly atMs: number;
  readonly cells: readonly string[];
}

/** Schedules, then backups and missed times, newest first. */
export function backupsView({ schedules, backups, missed }: BackupList): string[] {
  const planned = schedules.map((one) => {
    const next = one.nextMs === null ? "never" : moment(one.nextMs);
    return `Volume ${one.volume}: "${one.schedule}" to ${one.to} (service ${one.service}), keeps ${one.keep}, next ${next}`;
  });
  const titles = ["VOLUME", "DUE", "HOST", "BY", "RESULT", "SIZE", "ID", "WHERE OR WHY NOT"];
  const rows: Row[] = [
    ...backups.map((one) => ({ atMs: one.dueMs, cells: cellsOf(one) })),
    ...missed.map(({ volume, fromMs, untilMs, count, reason }) => {
      const due = fromMs === untilMs ? moment(fromMs) : `${moment(fromMs)} to ${moment(untilMs)}`;
      const result = count > 1 ? `${count} missed` : "missed";
      return { atMs: fromMs, cells: [volume, due, "-", "schedule", result, "-", "-", reason] };
    }),
  ];
  rows.sort((a, b) => b.atMs - a.atMs);
  const gap = planned.length === 0 ? [] : [""];
  return [...planned, ...gap, ...columns([titles, ...rows.map(({ cells }) => cells)])];
}

function cellsOf(row: BackupRow): readonly string[] {
  const { volume, dueMs, host, by, state, bytes, id, to, file, reason } = row;
  const size = state === "complete" ? sizeText(bytes) : "-";
  const note = reason === "" ? "" : ` (${reason})`;
  const where = state === "complete" ? `${to}/${file}${note}` : whereOf(row);
  return [volume, moment(dueMs), host, by, state, size, id.slice(0, 6), where];
}

function whereOf({ state, host, to, reason }: BackupRow): string {
  if (state === "waiting") return `${host} does not answer; it goes on when it is back`;
  return state === "running" ? `to ${to}` : reason;
}

/** What a restore would do, as sentences. */
export function restoreView(plan: RestorePlan): string[] {
  const { volume, host, source, manifest, exists, presentBytes, freeBytes, stops } = plan;
  const what =
    manifest === null
      ? "it has no manifest, so only its form can be checked"
      : `volume ${manifest.volume} of ${manifest.host}, made at ${manifest.madeAt}, ${sizeText(manifest.bytes)}`;
  const notes = manifest?.notes.map((note) => `  Note: ${note}`) ?? [];
  const effect = exists
    ? `Replaces all data of volume ${volume} on ${host}: ${sizeText(presentBytes)}. ${sizeText(freeBytes)} are free there`
    : `Makes volume ${volume} on ${host}, which has none`;
  const stopping =
    stops.length === 0
      ? "Stops no task"
      : `Stops ${stops.join(", ")} when the backup is whole on ${host}, and starts ${stops.length === 1 ? "it" : "them"} again with the data`;
  return [`From ${source}: ${what}`, ...notes, effect, stopping];
}
