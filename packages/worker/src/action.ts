/**
 * Action: what the worker asks of the node's engine, and what the engine answers.
 *
 * Every action may be performed again: an image that is there is not pulled, a container that runs is
 * started, a container that is gone is removed. Whoever performs them answers each one exactly once.
 */
import type { NetworkId, TaskId } from "@gam/core";
import type { NetworkPlan, PortConfig } from "@gam/state";
import type { ContainerPlan } from "./container-plan.ts";

/** One of gam's containers, as its engine sees it. */
export interface ContainerState {
  readonly id: string;
  readonly task: TaskId;
  /**
   * `unfinished`: it was made and is not in all of its networks yet; who made it did not come further.
   * `gone`: the engine does not have it any more. A paused container is `running`.
   */
  readonly phase: "unfinished" | "created" | "running" | "exited" | "gone";
  readonly exitCode: number;
  /** 0 unless it runs. */
  readonly pid: number;
  /** Kept after the exit. `none`: there is no check. */
  readonly health: "none" | "starting" | "healthy" | "unhealthy";
  /** Host ports that are bound for it. */
  readonly ports: readonly PortConfig[];
}

/** Names one action for ever, within the life of one worker. */
export type ActionId = number;

export type EngineAction =
  /** Pulls only when the engine does not have the image. */
  | {
      readonly kind: "ensureImage";
      readonly id: ActionId;
      readonly image: string;
      /** base64url of the client's `X-Registry-Auth`; "" for none. */
      readonly registryAuth: string;
    }
  | { readonly kind: "ensureNetwork"; readonly id: ActionId; readonly network: NetworkPlan }
  /** Removes gam's networks other than these. Fails while containers are on one. */
  | { readonly kind: "pruneNetworks"; readonly id: ActionId; readonly keep: readonly NetworkId[] }
  /** Finishes one that was begun. */
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
  /** Signal and grace period are those the container was made with. Answered when it has exited. */
  | {
      readonly kind: "stop";
      readonly id: ActionId;
      readonly task: TaskId;
      readonly container: string;
    }
  /** Removes the container and its nameless volumes, whether it runs or not. */
  | {
      readonly kind: "remove";
      readonly id: ActionId;
      readonly task: TaskId;
      readonly container: string;
    };

/**
 * Why an action failed:
 * `image`: there is no such image; `network`: the engine lacks a network that the plan names;
 * `gone`: there is no such container; `refused`: the engine says no and would say so again;
 * `engine`: the engine could not be asked or did not answer in time.
 */
export type Failure = "image" | "network" | "gone" | "refused" | "engine";

export type ActionOutcome =
  /** The container after create, start, stop and inspect. */
  | { readonly ok: true; readonly container?: ContainerState }
  | { readonly ok: false; readonly failure: Failure; readonly message: string };
