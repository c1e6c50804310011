/**
 * Backups: what the agents, the gam command and the manifest beside a backup say of backups and restores.
 */
import { type Check, check } from "@gam/core";

/**
 * The text beside the tar of a backup, with ".json" instead of ".tar" at the end of its name. It is written last: a tar
 * without it may not be whole.
 */
export interface BackupManifest {
  readonly format: 1;
  readonly volume: string;
  /** The host that had the volume. */
  readonly host: string;
  /** RFC 3339. */
  readonly madeAt: string;
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
  /** The labels of the volume. */
  readonly labels: Readonly<Record<string, string>>;
  /** What went wrong and did not make the backup useless: files that changed while they were read. */
  readonly notes: readonly string[];
}

export interface BackupRow {
  readonly id: string;
  readonly volume: string;
  readonly host: string;
  readonly to: string;
  readonly by: "schedule" | "hand";
  readonly dueMs: number;
  /** "waiting": its host is down. */
  readonly state: "running" | "waiting" | "complete" | "failed";
  readonly reason: string;
  /** null before the end. */
  readonly endedMs: number | null;
  /** "" before the end, and after a failure. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface BackupMissRow {
  readonly volume: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly count: number;
  readonly reason: string;
}

export interface BackupScheduleRow {
  readonly volume: string;
  readonly service: string;
  readonly schedule: string;
  readonly to: string;
  readonly keep: number;
  /** null for never. */
  readonly nextMs: number | null;
}

export interface BackupList {
  readonly schedules: readonly BackupScheduleRow[];
  /** Oldest first. */
  readonly backups: readonly BackupRow[];
  readonly missed: readonly BackupMissRow[];
}

/** What a restore would do. */
export interface RestorePlan {
  readonly volume: string;
  readonly host: string;
  /** For people: where the data comes from. */
  readonly source: string;
  /** The id of the backup, so that the restore takes this one; null for a file. */
  readonly backup: string | null;
  /** Null where the source has none. */
  readonly manifest: BackupManifest | null;
  /** Whether the host has the volume: its data is replaced. Otherwise it is made. */
  readonly exists: boolean;
  /** What the host has now, on its disk. */
  readonly presentBytes: number;
  readonly freeBytes: number;
  /** Tasks that stop, and start again with the data: "shop_db.1". */
  readonly stops: readonly string[];
  /** Why it cannot be done; "" if it can. */
  readonly obstacle: string;
}

const { list, literal, map, number, object, orNull, string } = check;

const text = string(1 << 16);
const bytes = number(0, Number.MAX_SAFE_INTEGER);
const rowsMax = 1_000_000;

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkBackupManifest: Check<BackupManifest> = object({
  format: literal(1),
  volume: string(255),
  host: string(255),
  madeAt: string(40),
  bytes,
  sha256: check.matching(/^[0-9a-f]{64}$/, "a SHA-256 in hex", 64),
  labels: map(text, 1 << 12),
  notes: list(text, 64),
});

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkBackupList: Check<BackupList> = object({
  schedules: list(
    object({
      ...{ volume: text, service: text, schedule: text, to: text },
      ...{ keep: number(), nextMs: orNull(number()) },
    }),
    rowsMax,
  ),
  backups: list(
    object({
      ...{ id: text, volume: text, host: text, to: text, by: literal("schedule", "hand") },
      ...{ dueMs: number(), state: literal("running", "waiting", "complete", "failed") },
      ...{ reason: text, endedMs: orNull(number()), file: text, bytes, sha256: text },
    }),
    rowsMax,
  ),
  missed: list(
    object({
      ...{ volume: text, fromMs: number(), untilMs: number() },
      ...{ count: number(), reason: text },
    }),
    rowsMax,
  ),
});

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkRestorePlan: Check<RestorePlan> = object({
  ...{ volume: text, host: text, source: text, backup: orNull(text) },
  manifest: orNull(checkBackupManifest),
  ...{ exists: check.boolean, presentBytes: bytes, freeBytes: bytes },
  ...{ stops: list(text, rowsMax), obstacle: text },
});

/** Returns: the name of the manifest beside a backup's tar. */
export function manifestFile(file: string): string {
  return `${file.replace(/\.tar$/, "")}.json`;
}
