/**
 * Volume: where the data of a local named volume is.
 *
 * Each engine has volumes of its own, and a name says nothing about the host. This is the record that the cluster
 * lacks: on which nodes tasks have used a volume of this name, and which tasks must return there. The engines have
 * the data. A volume that no task has used has no record.
 */
import type { NodeId, VolumeName } from "@gam/core";
import type { Meta } from "../meta.ts";

/** A node that has data of the volume. */
export interface VolumeHome {
  readonly node: NodeId;
  /** The places of services that return here, like "shop_db.1". The one that came last is last. */
  readonly users: readonly string[];
}

export interface VolumeRecord extends Meta {
  /** The engine's name of the volume. */
  readonly ID: VolumeName;
  /** Several if a service with several replicas uses it: then each node has a volume of its own. */
  readonly Homes: readonly VolumeHome[];
  /** Host name of the last home, if that node was removed from the cluster and there is no home since. */
  readonly LostWith?: string;
}

/** The most users of one home. Beyond them the first ones are dropped: their places may go anywhere. */
export const volumeUsersMax = 4096;

/** As the engine has it. */
export const volumeNameForm = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/;
