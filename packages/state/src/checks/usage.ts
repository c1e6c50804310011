/**
 * Usage: how busy a host is. Gossiped, never replicated: ranking may use it, but a filter must not depend on
 * it.
 */
import { type Check, check, type TaskId } from "@gam/core";
import type { TaskAsks } from "../derived/probes/task-asks.ts";
import type { TaskLoad } from "../labels/autoscale-labels.ts";
import { aMoment, aSize, aText } from "./field-checks.ts";

/** A running task of this host, and the process that its container began with. */
export interface TaskToMeasure extends TaskAsks {
  readonly id: TaskId;
  readonly pid: number;
}

/** What one task used lately. */
export interface TaskUsage extends TaskLoad {
  readonly id: TaskId;
  /** Absent until the task was asked. */
  readonly check?: TaskCheck | undefined;
}

/** What a task answered when it was asked whether it is well. */
export interface TaskCheck {
  /** In a row; 0 if the last answer was good. */
  readonly failures: number;
  /** Why the last one was a failure; "" if it was none. */
  readonly reason: string;
}

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
  /** Of tasks whose service is scaled by their load; absent when there are none. */
  readonly tasks?: readonly TaskUsage[] | undefined;
  /** Time of the measurement, in milliseconds since 1970 by the host's own clock. */
  readonly atMs: number;
}

/** Values beyond these come from a broken or hostile host. */
const imagesMax = 4096;
const imageLengthMax = 512;
const loadMax = 1e6;
const containersMax = 1e6;
const coresMax = 1e5;
const requestsMax = 1e8;
/** Numbers beyond this are no load. */
export const askedMax = 1e15;
/** A host measures no more tasks than this. */
export const measuredTasksMax = 500;

/** Errors: BAD_FRAME for values that no host can have. */
export const checkUsage: Check<Usage> = check.object({
  cpu: check.number(0, 1),
  memoryBytes: aSize,
  memoryTotalBytes: aSize,
  load: check.number(0, loadMax),
  containers: check.integer(0, containersMax),
  images: check.list(check.string(imageLengthMax), imagesMax),
  diskFreeBytes: aSize,
  tasks: check.optional(
    check.list(
      check.object({
        id: check.id<TaskId>(),
        cpu: check.optional(check.number(0, coresMax)),
        memoryBytes: aSize,
        requests: check.optional(check.number(0, requestsMax)),
        number: check.optional(check.number(-askedMax, askedMax)),
        check: check.optional(
          check.object({ failures: check.integer(0, requestsMax), reason: aText }),
        ),
      }),
      measuredTasksMax,
    ),
  ),
  atMs: aMoment,
});
