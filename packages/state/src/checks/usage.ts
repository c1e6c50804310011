/**
 * Usage: how busy a host is. Gossiped, never replicated: ranking may use it, but a filter must not depend on
 * it.
 */
import { type Check, check } from "@gam/core";
import { aMoment, aSize } from "./field-checks.ts";

export interface Usage {
  /** Share of all CPUs that is in use, 0 to 1. */
  readonly cpu: number;
  readonly memoryBytes: number;
  readonly memoryTotalBytes: number;
  /** Load average of the last minute. */
  readonly load: number;
  /** Number of running containers. */
  readonly containers: number;
  /** References and ids of the images that the engine holds. */
  readonly images: readonly string[];
  readonly diskFreeBytes: number;
  /** Time of the measurement, in milliseconds since 1970 by the host's own clock. */
  readonly atMs: number;
}

/** Values beyond these come from a broken or hostile host. */
const imagesMax = 4096;
const imageLengthMax = 512;
const loadMax = 1e6;
const containersMax = 1e6;

/** Errors: BAD_FRAME for values that no host can have. */
export const checkUsage: Check<Usage> = check.object({
  cpu: check.number(0, 1),
  memoryBytes: aSize,
  memoryTotalBytes: aSize,
  load: check.number(0, loadMax),
  containers: check.integer(0, containersMax),
  images: check.list(check.string(imageLengthMax), imagesMax),
  diskFreeBytes: aSize,
  atMs: aMoment,
});
