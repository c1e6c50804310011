/** Volumes: the answer of `GET /gam/v1/volumes`, what `gam volume ls` shows. */
import { type Check, check } from "@gam/core";

export interface VolumeHomeSummary {
  readonly host: string;
  /** Of its node: "ready", "down". */
  readonly state: string;
  readonly users: readonly string[];
}

export interface VolumeMoveSummary {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface VolumeRestoreSummary {
  readonly id: string;
  readonly host: string;
  readonly source: string;
  readonly bytes: number;
}

export interface VolumeSummary {
  readonly name: string;
  readonly homes: readonly VolumeHomeSummary[];
  readonly move?: VolumeMoveSummary | undefined;
  readonly lastMove?:
    | {
        readonly id: string;
        readonly from: string;
        readonly to: string;
        readonly digest?: string | undefined;
        readonly error?: string | undefined;
      }
    | undefined;
  readonly restore?: VolumeRestoreSummary | undefined;
  readonly lastRestore?:
    | (VolumeRestoreSummary & {
        /** Why the volume has its old data. */
        readonly error?: string | undefined;
      })
    | undefined;
  /** Hosts on which a move has left data that is not removed yet. */
  readonly leftovers: readonly string[];
  /** The removed host that had the data, if there is no home since. */
  readonly lostWith?: string | undefined;
}

export interface VolumeList {
  readonly volumes: readonly VolumeSummary[];
}

const { list, number, object, optional, string } = check;

const listMax = 1_000_000;
const ends = { id: string(), from: string(), to: string() };
const bytes = number(0, Number.MAX_SAFE_INTEGER);
const restoring = { id: string(), host: string(), source: string(1 << 14), bytes };

/** Errors: BAD_FRAME with the path of what is wrong. */
export const checkVolumeList: Check<VolumeList> = object({
  volumes: list(
    object({
      name: string(),
      homes: list(
        object({ host: string(), state: string(), users: list(string(), listMax) }),
        listMax,
      ),
      move: optional(object({ ...ends, bytes, totalBytes: bytes })),
      lastMove: optional(
        object({ ...ends, digest: optional(string()), error: optional(string(1 << 14)) }),
      ),
      restore: optional(object(restoring)),
      lastRestore: optional(object({ ...restoring, error: optional(string(1 << 14)) })),
      leftovers: list(string(), listMax),
      lostWith: optional(string()),
    }),
    listMax,
  ),
});
