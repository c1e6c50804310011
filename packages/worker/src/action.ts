/**
 * Action: the worker's requests to the node's engine, and their outcomes.
 *
 * Every action may be performed again and then succeeds without effect, for example the start of a running
 * container or the removal of a missing one. The performer answers each action exactly once.
 */
import type { NetworkId, ServiceId, TaskId } from "@gam/core";
import type { NetworkPlan, PortConfig } from "@gam/state";
import type { ContainerPlan } from "./container-plan.ts";
import type { TaskFile } from "./task-files.ts";

/** One of gam's containers, as its engine sees it. */
export interface ContainerState {
  readonly id: string;
  readonly task: TaskId;
  /**
   * `unfinished`: created, but not yet in all of its networks, because the create was interrupted.
   * `gone`: the engine no longer has it. A paused container is `running`.
   */
  readonly phase: "unfinished" | "created" | "running" | "exited" | "gone";
  readonly exitCode: number;
  /** 0 unless it runs. */
  readonly pid: number;
  /** Kept after the exit. `none`: there is no check. */
  readonly health: "none" | "starting" | "healthy" | "unhealthy";
  /** The kernel killed one of its processes for lack of memory. Absent: no. */
  readonly oomKilled?: boolean;
  /** The last run of its health check. Only for unhealthy ones. */
  readonly probe?: { readonly exitCode: number; readonly output: string };
  /** The network namespace in which it runs, such as `net:[4026532281]`. Absent while it does not, or if unknown. */
  readonly network?: string;
  /** Host ports that are bound for it. */
  readonly ports: readonly PortConfig[];
}

/** Identifies one action. One worker never uses it twice. */
export type ActionId = number;

/** The registry credentials of a service, for one of its tasks. The performer gets them from a manager. */
export interface PullCredentials {
  readonly service: ServiceId;
  readonly task: TaskId;
}

export type EngineAction =
  /** Pulls only when the engine does not have the image. */
  | {
      readonly kind: "ensureImage";
      readonly id: ActionId;
      readonly image: string;
      /** Absent: without any. */
      readonly credentials?: PullCredentials;
    }
  | { readonly kind: "ensureNetwork"; readonly id: ActionId; readonly network: NetworkPlan }
  /** Removes gam's networks other than these. Fails while containers are on one. */
  | { readonly kind: "pruneNetworks"; readonly id: ActionId; readonly keep: readonly NetworkId[] }
  /** Writes the files of a task to where its container finds them. */
  | {
      readonly kind: "placeFiles";
      readonly id: ActionId;
      readonly task: TaskId;
      readonly files: readonly TaskFile[];
    }
  /** Deletes the files of a task. */
  | { readonly kind: "dropFiles"; readonly id: ActionId; readonly task: TaskId }
  /** Deletes the files of all tasks but these. */
  | { readonly kind: "sweepFiles"; readonly id: ActionId; readonly keep: readonly TaskId[] }
  /** Creates the container, or completes an `unfinished` one. Fails while its files are not in place. */
  | {
      readonly kind: "create";
      readonly id: ActionId;
      readonly task: TaskId;
      readonly plan: ContainerPlan;
    }
  | {
      readonly kind: "start" | "inspect";
      readonly id: ActionId;
      readonly task: TaskId;
      readonly container: string;
    }
  /** Uses the signal and grace period that the container was created with. Answered when it has exited. */
  | {
      readonly kind: "stop";
      readonly id: ActionId;
      readonly task: TaskId;
      readonly container: string;
    }
  /** Counts the open TCP connections to the task, by whatever way they came. */
  | {
      readonly kind: "count";
      readonly id: ActionId;
      readonly task: TaskId;
      /** A process of the task's container. */
      readonly pid: number;
      /** The task's addresses: connections to others are not counted. */
      readonly addresses: readonly string[];
    }
  /** Removes the container and its anonymous volumes, whether it runs or not. */
  | {
      readonly kind: "remove";
      readonly id: ActionId;
      readonly task: TaskId;
      readonly container: string;
    };

/**
 * Why an action failed:
 * `image`: there is no such image; `network`: the engine lacks a network that the plan names;
 * `gone`: there is no such container; `refused`: the engine or a manager refuses, and would refuse again;
 * `contents`: no manager could be asked for a secret, a config or credentials;
 * `engine`: the engine could not be reached or did not answer in time.
 */
export type Failure = "image" | "network" | "gone" | "refused" | "contents" | "engine";

export type ActionOutcome =
  /** The container after create, start, stop and inspect; the open connections after count. */
  | { readonly ok: true; readonly container?: ContainerState; readonly connections?: number }
  | { readonly ok: false; readonly failure: Failure; readonly message: string };
