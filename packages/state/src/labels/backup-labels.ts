/** Backup labels: when the volumes of a service are backed up, where to, and what its containers do before and after. */
import type { ServiceSpec } from "../objects/service.ts";
import { readBackupPlace } from "../objects/volumes/backup.ts";
import { type CronTime, cronTime, readCron, readZone } from "./cron-time.ts";
import { type LabelRule, readLabel, text, whole, words } from "./label-rule.ts";

const schedule: LabelRule<string> = {
  name: "gam.backup.schedule",
  ...text(
    'a cron expression of five fields, of six with the seconds first, or a name such as "@daily"',
    readCron,
  ),
  does: "backs up the local volumes of the service at these times",
  without: "they are backed up only by hand",
};

export const backupZoneLabel: LabelRule<string> = {
  name: "gam.backup.timezone",
  ...text('a time zone of the IANA database, such as "Europe/Berlin"', readZone),
  does: "reads the schedule of backups in this time zone",
  without: "it is read in UTC",
};

const to: LabelRule<string> = {
  name: "gam.backup.to",
  ...text("/folder, host:/folder or s3://bucket/folder", (value) =>
    readBackupPlace(value) === undefined ? undefined : value,
  ),
  does: "says where backups go: a folder of the volume's host, a folder of a named host, or an S3 bucket",
  without: "a backup by hand says it",
};

const secret: LabelRule<string> = {
  name: "gam.backup.secret",
  ...text("the name of a secret", (value) => (value.length <= 64 ? value : undefined)),
  does: "names the docker secret with the credentials for the S3 bucket",
  without: "a bucket cannot be used",
};

const keepMax = 100;
const keepDefault = 7;
const keep: LabelRule<number> = {
  name: "gam.backup.keep",
  ...whole(1, keepMax),
  does: "keeps so many scheduled backups of a volume, and removes older ones",
  without: `${keepDefault} are kept`,
};

const hookLengthMax = 4096;
const hook = text("a command of at most 4096 characters", (value) =>
  value.length <= hookLengthMax ? value : undefined,
);

const pre: LabelRule<string> = {
  name: "gam.backup.pre",
  ...hook,
  does: "runs this command by a shell in the service's containers that use the volume, before it is read; if it fails, there is no backup",
  without: "nothing runs before",
};

const post: LabelRule<string> = {
  name: "gam.backup.post",
  ...hook,
  does: "runs this command there when the volume has been read, also after a failure",
  without: "nothing runs after",
};

const changes: LabelRule<"fail" | "allow"> = {
  name: "gam.backup.changes",
  ...words("fail", "allow"),
  does: "says what happens when files change while they are read: the backup fails, or it has them as they were found",
  without: "the backup fails",
};

/** In the order of docs/labels.md. */
export const backupLabels: readonly LabelRule<unknown>[] = [
  ...[schedule, backupZoneLabel, to, secret, keep],
  ...[pre, post, changes],
];

type Labelled = Pick<ServiceSpec, "Labels">;

/** What the containers of a service do for a backup. */
export interface BackupHooks {
  readonly pre: string | undefined;
  readonly post: string | undefined;
  /** Whether a backup may have files that changed while they were read. */
  readonly mayChange: boolean;
}

export function backupHooks({ Labels }: Labelled): BackupHooks {
  return {
    pre: readLabel(pre, Labels),
    post: readLabel(post, Labels),
    mayChange: readLabel(changes, Labels) === "allow",
  };
}

/** Where the labels say that backups go; undefined where they do not. `secret`: its name. */
export function backupTarget({
  Labels,
}: Labelled): { readonly to: string; readonly secret: string | undefined } | undefined {
  const place = readLabel(to, Labels);
  return place === undefined ? undefined : { to: place, secret: readLabel(secret, Labels) };
}

export interface BackupSchedule {
  /** Different for schedules with other due times. */
  readonly key: string;
  readonly time: CronTime;
}

/** Returns: undefined where backups are not scheduled. */
export function backupSchedule({ Labels }: Labelled): BackupSchedule | undefined {
  const cron = readLabel(schedule, Labels);
  if (cron === undefined || readLabel(to, Labels) === undefined) return undefined;
  const zone = readLabel(backupZoneLabel, Labels) ?? "UTC";
  return { key: `${cron} ${zone}`, time: cronTime(cron, zone) };
}

/** How many scheduled backups of a volume are kept. */
export function backupsKept({ Labels }: Labelled): number {
  return readLabel(keep, Labels) ?? keepDefault;
}

/** Returns: what the labels of backups must not say together, or of a service without a volume that stays. */
export function backupProblem({
  Labels = {},
  Mode,
  TaskTemplate,
}: ServiceSpec): string | undefined {
  const given = backupLabels.map(({ name }) => name).filter((name) => Labels[name]);
  const [first] = given;
  if (first === undefined) return undefined;
  if (Mode.Global !== undefined || Mode.GlobalJob !== undefined) {
    return `label "${first}" is for volumes that stay with their service, and the service is global: leave the label out`;
  }
  const mounts = TaskTemplate.ContainerSpec.Mounts ?? [];
  if (!mounts.some(({ Type, Source }) => Type === "volume" && Boolean(Source))) {
    return `label "${first}" has no effect on a service without a named volume: add a volume, or leave the label out`;
  }
  const place = readBackupPlace(Labels[to.name] ?? "");
  if (Labels[schedule.name] && place === undefined) {
    return `label "${schedule.name}" has no effect without "${to.name}": add it`;
  }
  const orphan = [backupZoneLabel, keep].find(({ name }) => Labels[name] && !Labels[schedule.name]);
  if (orphan !== undefined) {
    return `label "${orphan.name}" has no effect without a schedule: add "${schedule.name}"`;
  }
  if (place?.kind === "s3" && !Labels[secret.name]) {
    return `label "${to.name}" names a bucket: add "${secret.name}" with the name of the secret that has the credentials`;
  }
  if (place?.kind !== "s3" && Labels[secret.name]) {
    return `label "${secret.name}" has no effect without a bucket: set "${to.name}" to s3://bucket/folder, or leave it out`;
  }
  return undefined;
}
