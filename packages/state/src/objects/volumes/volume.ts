/**
 * Volume: where the data of a local named volume is.
 *
 * Each engine has volumes of its own, and a name says nothing about the host. This is the record that the cluster
 * lacks: on which nodes tasks have used a volume of this name, and which tasks must return there. The engines have
 * the data. A volume that no task has used has no record.
 */
import type { NodeId, VolumeName } from "@gam/core";
import type { Meta } from "../meta.ts";
import type { VolumeBackups, VolumeRestore, VolumeRestoreEnd } from "./backup.ts";

/** A node that has data of the volume. */
export interface VolumeHome {
  readonly node: NodeId;
  /** The places of services that return here, like "shop_db.1". The one that came last is last. */
  readonly users: readonly string[];
}

/**
 * The data is on its way to another node. Until the move ends, `from` stays the home, and no task runs with the
 * volume on either node. One change ends the move and names the new home.
 */
export interface VolumeMove {
  /** Different for each move. */
  readonly id: string;
  readonly from: NodeId;
  readonly to: NodeId;
  /** RFC 3339. */
  readonly startedAt: string;
  /**
   * The present try to copy. Absent until the new node has begun. An agent that was killed begins another one, and
   * what the earlier one said may still be on its way.
   */
  readonly copy?: string;
  /** What the new node has so far, and what there is, as the nodes report it; 0 before the first report. */
  readonly bytes: number;
  readonly totalBytes: number;
}

/** How the last move ended. */
export interface VolumeMoveEnd {
  readonly id: string;
  readonly from: NodeId;
  readonly to: NodeId;
  /** RFC 3339. */
  readonly at: string;
  /** SHA-256 of what both nodes had, in hex. Absent if it failed. */
  readonly digest?: string;
  /** Why it failed. */
  readonly error?: string;
}

/** Data that is not the volume's any more, or never became it. Its node removes it. */
export interface VolumeLeftover {
  readonly node: NodeId;
  readonly move: string;
  /** "copy": of a move that failed, on its new node. "source": of one that is done, on its old node. */
  readonly was: "copy" | "source";
}

export interface VolumeRecord extends Meta {
  /** The engine's name of the volume. */
  readonly ID: VolumeName;
  /** Several if a service with several replicas uses it: then each node has a volume of its own. */
  readonly Homes: readonly VolumeHome[];
  /** Host name of the last home, if that node was removed from the cluster and there is no home since. */
  readonly LostWith?: string;
  readonly Move?: VolumeMove;
  readonly LastMove?: VolumeMoveEnd;
  readonly Leftovers?: readonly VolumeLeftover[];
  readonly Backups?: VolumeBackups;
  /** Until it ends, no task runs with the volume on its node. */
  readonly Restore?: VolumeRestore;
  readonly LastRestore?: VolumeRestoreEnd;
}

/** The most users of one home. Beyond them the first ones are dropped: their places may go anywhere. */
export const volumeUsersMax = 4096;

/** As the engine has it. */
export const volumeNameForm = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/;
