import type { TaskId } from "@gam/core";
import type { LogDriver, Network, Node, Task } from "@gam/state";
import type { ActionId, ActionOutcome, ContainerState } from "./action.ts";

/** This node's part of the replicated state, from its own copy. Send it whenever any of it changed. */
export interface Assignment {
  /** The cluster's id. */
  readonly cluster: string;
  readonly self: Node;
  /** All tasks whose `NodeID` is this node. */
  readonly tasks: readonly Task[];
  /** How long leaving tasks may keep their open connections, in milliseconds; those that may not are left out. */
  readonly drainsMs: ReadonlyMap<TaskId, number>;
  readonly networks: readonly Network[];
  /** The cluster's default for tasks that name none. */
  readonly logDriver?: LogDriver | undefined;
  /**
   * The copy has everything that was committed when this peer started, so that what is missing in it does not
   * exist. Until then the worker creates nothing, and removes nothing as unknown.
   */
  readonly caughtUp: boolean;
  /** The last log entry in it. */
  readonly index: number;
}

export type WorkerInput =
  | { readonly kind: "tick"; readonly nowMs: number }
  | ({ readonly kind: "assigned" } & Assignment)
  /** Whether the engine answers. After `ready` a whole list of containers follows. */
  | { readonly kind: "engine"; readonly ready: boolean; readonly reason: string }
  /**
   * All of gam's containers. The first list after `ready` is current. A later list may be older than reports that
   * came before it.
   */
  | { readonly kind: "containers"; readonly containers: readonly ContainerState[] }
  | { readonly kind: "container"; readonly container: ContainerState }
  | { readonly kind: "acted"; readonly id: ActionId; readonly outcome: ActionOutcome }
  /** Whether there is a leader that takes reports. */
  | { readonly kind: "led"; readonly led: boolean }
  /** All nodes that are up send connections by the state at this log entry, or by a newer one. */
  | { readonly kind: "steered"; readonly index: number }
  /** The outcome of the report in flight. */
  | { readonly kind: "settled"; readonly committed: boolean };
