/** Backup question: what hosts ask each other about backups, as the header of a stream. Shapes and their checks. */
import { check, type SecretId, type VolumeName } from "@gam/core";
import { backupFileForm } from "@gam/state";

/** The stream's name. */
export const backupStream = "backup";
/** The request's name: the data of the secret that a backup of the asker's uses. */
export const backupSecret = "backup-secret";

/**
 * Of a manager to the host of a volume:
 *   give      a backup of it, framed; the last word is its manifest
 *   look      what the host has: VolumeLook
 *   stage     takes a backup, framed, for a restore; the last word is what was sent, the answer {}
 *
 * Of a manager to the host of a folder:
 *   manifest  of a backup there
 *   fetch     a backup there, framed; the last word is {}
 *
 * Of the host that makes a backup to that of a folder:
 *   store     takes it, framed; the last word is its manifest, the answer {}
 *   drop      removes earlier ones; the answer {}
 */
export type BackupQuestion =
  | { readonly wants: "give"; readonly volume: VolumeName }
  | { readonly wants: "look"; readonly volume: VolumeName }
  | {
      readonly wants: "stage";
      readonly volume: VolumeName;
      /** A new id, by which the asker finds the restore in the state if the answer does not arrive. */
      readonly restore: string;
      readonly source: string;
      readonly bytes: number;
      readonly labels: Readonly<Record<string, string>>;
    }
  | { readonly wants: "manifest" | "fetch"; readonly folder: string; readonly file: string }
  | {
      readonly wants: "store" | "drop";
      readonly volume: VolumeName;
      readonly backup: string;
      readonly file: string;
      /** The last log entry that the asker has: a host whose state is older waits for it before it judges. */
      readonly asOf: number;
    };

export interface VolumeLook {
  readonly exists: boolean;
  readonly presentBytes: number;
  readonly freeBytes: number;
  /** Containers that gam cannot stop for a restore. */
  readonly blockers: readonly string[];
}

export interface SecretQuestion {
  readonly volume: VolumeName;
  readonly backup: string;
  readonly secret: SecretId;
  /** The last log entry that the asker has: a manager whose state is older cannot judge. */
  readonly asOf: number;
}

const name = check.string(255) as check.Check<VolumeName>;
const bytes = check.number(0, Number.MAX_SAFE_INTEGER);
const path = check.matching(/^\/[^\p{Cc}]*$/u, "a path from the root");
const file = check.matching(backupFileForm, "a file of a backup", 516);
const labels = check.map(check.string(1 << 16), 1 << 12);
const errand = { volume: name, backup: check.id(), file, asOf: check.integer() };

const shapes: { readonly [Wants in BackupQuestion["wants"]]: check.Check<object> } = {
  give: check.object({ wants: check.literal("give"), volume: name }),
  look: check.object({ wants: check.literal("look"), volume: name }),
  stage: check.object({
    ...{ wants: check.literal("stage"), volume: name, restore: check.id() },
    ...{ source: check.string(), bytes, labels },
  }),
  manifest: check.object({ wants: check.literal("manifest"), folder: path, file }),
  fetch: check.object({ wants: check.literal("fetch"), folder: path, file }),
  store: check.object({ wants: check.literal("store"), ...errand }),
  drop: check.object({ wants: check.literal("drop"), ...errand }),
};

const checkWants = check.object({
  wants: check.literal("give", "look", "stage", "manifest", "fetch", "store", "drop"),
});

/** Errors: BAD_FRAME. */
export function readBackupQuestion(value: unknown): BackupQuestion {
  const what = "question about a backup";
  const { wants } = checkWants(value, what);
  return shapes[wants](value, what) as BackupQuestion;
}

export const checkVolumeLook: check.Check<VolumeLook> = check.object({
  exists: check.boolean,
  presentBytes: bytes,
  freeBytes: bytes,
  blockers: check.list(check.string(), 1 << 12),
});

/** What was sent, as its sender counted it. */
export const checkSent = check.object({ bytes, sha256: check.string(64) });

export const checkSecretQuestion: check.Check<SecretQuestion> = check.object({
  volume: name,
  backup: check.id(),
  secret: check.id<SecretId>(),
  asOf: check.integer(),
});
