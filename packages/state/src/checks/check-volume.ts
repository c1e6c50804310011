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
import { aHostname, anIndex, aTime } from "./field-checks.ts";

const { id, list, matching, optional, string, struct, where } = check;

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

export const checkVolume = struct({
  ID: aVolumeName,
  Version: struct({ Index: anIndex }),
  CreatedAt: aTime,
  UpdatedAt: aTime,
  Homes: checkHomes,
  LostWith: optional(aHostname),
}) as Check<VolumeRecord>;

export const volumeParts = keeping({ ID: string(255), Homes: someList });

export const volumeFields: ChangeFields<"volume"> = {
  removeVolume: { id: aVolumeName, node: id<NodeId>() },
};
