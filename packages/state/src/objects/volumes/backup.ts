/**
 * Backup: the backups of a volume that the cluster knows, and a restore that is under way.
 *
 * The record says which backups there are and where. The files are at their place, each with a manifest beside it.
 */
import type { NodeId, SecretId, ServiceId } from "@gam/core";
import type { CronMiss } from "../service.ts";

/** How a backup ended. */
export interface BackupEnd {
  readonly result: "complete" | "failed";
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Why it failed; of a complete one, what else went wrong. */
  readonly reason: string;
  /** Of a complete one: its file at the place, the file's bytes, and their SHA-256 in hex. */
  readonly file?: string;
  readonly bytes?: number;
  readonly digest?: string;
}

export interface Backup {
  readonly id: string;
  /** The home whose data it has. Its agent makes it. */
  readonly node: NodeId;
  /** As readBackupPlace() reads it. */
  readonly to: string;
  /** The secret with the credentials for the place. */
  readonly secret?: SecretId | undefined;
  /** The service whose labels have the hooks. */
  readonly service?: ServiceId | undefined;
  readonly by: "schedule" | "hand";
  /** When it was due, or asked for. Milliseconds since 1970. */
  readonly dueMs: number;
  /** Absent while it is being made. */
  readonly end?: BackupEnd;
}

export interface VolumeBackups {
  /** What the schedule was when due times were last handled: expression and time zone. Absent: there was none. */
  readonly schedule?: string | undefined;
  /** Each due time up to here has had its backup, or is noted as missed. */
  readonly handledMs?: number | undefined;
  /** Those that are being made and the last ended ones, oldest first. */
  readonly list: readonly Backup[];
  /** The last ones, oldest first. */
  readonly missed: readonly CronMiss[];
}

/** Data that is whole on the node's disk, beside the volume, and replaces the volume's as soon as nobody uses it. */
export interface VolumeRestore {
  /** Different for each restore. */
  readonly id: string;
  readonly node: NodeId;
  /** For people: where the data comes from. */
  readonly source: string;
  readonly bytes: number;
  /** SHA-256 of the backup, in hex. */
  readonly digest: string;
  /** RFC 3339. */
  readonly startedAt: string;
}

export interface VolumeRestoreEnd extends Omit<VolumeRestore, "startedAt"> {
  /** RFC 3339. */
  readonly at: string;
  /** Why the volume has its old data. Absent: it has the new one. */
  readonly error?: string;
}

/** Kept for one volume, besides those that are being made. */
export const backupsMax = 128;
/** Backups of one volume that are being made: one for each home. */
export const backupsActiveMax = 1024;
export const backupMissesMax = 32;

/**
 * A folder of the volume's host, a folder of a named host, or a part of a bucket. `prefix`: "" or ends with a slash.
 */
export type BackupPlace =
  | { readonly kind: "folder"; readonly host: string | undefined; readonly folder: string }
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string };

const placeLengthMax = 1024;
const folderForm = /^(?:([a-zA-Z0-9][a-zA-Z0-9_.-]*):)?(\/[^\p{Cc}]*)$/u;
const bucketForm = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([^\p{Cc}]*))?$/u;

/** Returns: the place, of `/folder`, `host:/folder` or `s3://bucket/folder`; undefined for another text. */
export function readBackupPlace(text: string): BackupPlace | undefined {
  if (text.length > placeLengthMax) return undefined;
  const [, bucket, inside = ""] = bucketForm.exec(text) ?? [];
  if (bucket !== undefined) {
    const parts = inside.split("/").filter((part) => part !== "");
    if (parts.some(isDots)) return undefined;
    return { kind: "s3", bucket, prefix: parts.map((part) => `${part}/`).join("") };
  }
  // Not the folder "//bucket" of a host that is called "s3".
  if (text.startsWith("s3://")) return undefined;
  const [, host, path] = folderForm.exec(text) ?? [];
  if (path === undefined) return undefined;
  const parts = path.split("/").filter((part) => part !== "");
  if (parts.length === 0 || parts.some(isDots)) return undefined;
  return { kind: "folder", host, folder: `/${parts.join("/")}` };
}

function isDots(part: string): boolean {
  return part === "." || part === "..";
}

/** As a backup's file may be called: no client can make a host write elsewhere. */
export const backupFileForm = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,511}\.tar$/;

/** Returns: the name of the backup's file at its place, the same for each try. */
export function backupFile(
  { id, dueMs }: Pick<Backup, "id" | "dueMs">,
  volume: string,
  host: string,
): string {
  const stamp = new Date(dueMs).toISOString().replace(/[-:]|\.\d+/g, "");
  const from = host.replace(/[^a-zA-Z0-9_.-]/g, "_").slice(0, 64);
  return `${volume}-${from}-${stamp}-${id.slice(0, 6)}.tar`;
}
