/** Check of a volume's record: its changes and the whole object. */
import {
  type Check,
  check,
  type NodeId,
  type SecretId,
  type ServiceId,
  type VolumeName,
} from "@gam/core";
import type { ChangeFields } from "../log/table-rule.ts";
import {
  type BackupEnd,
  backupFileForm,
  backupMissesMax,
  backupsActiveMax,
  backupsMax,
  readBackupPlace,
  type VolumeBackups,
} from "../objects/volumes/backup.ts";
import {
  type VolumeHome,
  type VolumeRecord,
  volumeNameForm,
  volumeUsersMax,
} from "../objects/volumes/volume.ts";
import { keeping, someList } from "./check-parts.ts";
import { checkMiss } from "./check-service.ts";
import { aHostname, aMessage, aMoment, anId, anIndex, aSize, aTime } from "./field-checks.ts";

const { id, list, literal, matching, optional, string, struct, where } = check;

const homesMax = 65_536;
/** A service's name, a dot and a slot. */
const userLengthMax = 128;

const aVolumeName = matching(volumeNameForm, "a name of a volume", 255) as Check<VolumeName>;

const checkHomes = where(
  list(
    struct({ node: id<NodeId>(), users: list(string(userLengthMax), volumeUsersMax) }),
    homesMax,
  ),
  (homes) => new Set(homes.map(({ node }) => node)).size === homes.length,
  "each node once",
) as Check<VolumeHome[]>;

const aMove = { id: anId, from: id<NodeId>(), to: id<NodeId>() };
const aDigest = matching(/^[0-9a-f]{64}$/, "a SHA-256 in hex", 64);
/** One for each node that has not answered since a move. */
const leftoversMax = 65_536;

const aPlace = where(string(1024), (text) => readBackupPlace(text) !== undefined, "a place");
const aSchedule = string(512);

const backupFields = {
  id: anId,
  node: id<NodeId>(),
  to: aPlace,
  secret: optional(id<SecretId>()),
  service: optional(id<ServiceId>()),
  dueMs: aMoment,
};

const checkBackupEnd = struct({
  result: literal("complete", "failed"),
  atMs: aMoment,
  reason: aMessage,
  file: optional(matching(backupFileForm, "a file of a backup", 516)),
  bytes: optional(aSize),
  digest: optional(aDigest),
}) as Check<BackupEnd>;

const checkBackups = struct({
  schedule: optional(aSchedule),
  handledMs: optional(aMoment),
  list: list(
    struct({ ...backupFields, by: literal("schedule", "hand"), end: optional(checkBackupEnd) }),
    backupsMax + backupsActiveMax,
  ),
  missed: list(checkMiss, backupMissesMax),
}) as Check<VolumeBackups>;

const aRestore = {
  id: anId,
  node: id<NodeId>(),
  source: aMessage,
  bytes: aSize,
  digest: aDigest,
};

export const checkVolume = struct({
  ID: aVolumeName,
  Version: struct({ Index: anIndex }),
  CreatedAt: aTime,
  UpdatedAt: aTime,
  Homes: checkHomes,
  LostWith: optional(aHostname),
  Move: optional(
    struct({ ...aMove, startedAt: aTime, copy: optional(anId), bytes: aSize, totalBytes: aSize }),
  ),
  LastMove: optional(
    struct({ ...aMove, at: aTime, digest: optional(aDigest), error: optional(aMessage) }),
  ),
  Leftovers: optional(
    list(struct({ node: id<NodeId>(), move: anId, was: literal("copy", "source") }), leftoversMax),
  ),
  Backups: optional(checkBackups),
  Restore: optional(struct({ ...aRestore, startedAt: aTime })),
  LastRestore: optional(struct({ ...aRestore, at: aTime, error: optional(aMessage) })),
}) as Check<VolumeRecord>;

export const volumeParts = keeping({ ID: string(255), Homes: someList });

export const volumeFields: ChangeFields<"volume"> = {
  removeVolume: { id: aVolumeName, node: id<NodeId>() },
  moveVolume: { id: aVolumeName, move: anId, from: id<NodeId>(), to: id<NodeId>() },
  stopVolumeMove: { id: aVolumeName, move: anId, error: aMessage },
  abandonVolumeMove: { id: aVolumeName, move: anId, error: aMessage },
  beginVolumeCopy: { id: aVolumeName, move: anId, copy: anId },
  reportVolumeMove: { id: aVolumeName, move: anId, copy: anId, bytes: aSize, totalBytes: aSize },
  endVolumeMove: { id: aVolumeName, move: anId, copy: anId, digest: aDigest },
  dropVolumeLeftover: { id: aVolumeName, move: anId, node: id<NodeId>() },
  backupVolume: { id: aVolumeName, backup: struct(backupFields) },
  endBackup: {
    id: aVolumeName,
    backup: anId,
    end: checkBackupEnd,
    dropped: list(anId, backupsMax),
  },
  handleBackupDue: {
    id: aVolumeName,
    sinceMs: optional(aMoment),
    handledMs: optional(aMoment),
    schedule: optional(aSchedule),
    missed: list(checkMiss, backupMissesMax),
    starts: list(struct(backupFields), backupsActiveMax),
  },
  restoreVolume: {
    id: aVolumeName,
    restore: anId,
    node: id<NodeId>(),
    source: aMessage,
    bytes: aSize,
    digest: aDigest,
  },
  endVolumeRestore: { id: aVolumeName, restore: anId, error: optional(aMessage) },
};
