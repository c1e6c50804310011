/** Check of a volume's record: its changes and the whole object. */
import { type Check, check, type NodeId, type VolumeName } from "@gam/core";
import type { ChangeFields } from "../log/table-rule.ts";
import {
  type VolumeHome,
  type VolumeRecord,
  volumeNameForm,
  volumeUsersMax,
} from "../objects/volumes/volume.ts";
import { keeping, someList } from "./check-parts.ts";
import { aHostname, aMessage, anId, anIndex, aSize, aTime } from "./field-checks.ts";

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
};
