import type { Network, Node, Task } from "@gam/state";
import type { ActionId, ActionOutcome, ContainerState } from "./action.ts";

/** What this node's copy of the replicated state says of it. Given whenever any of it changed. */
export interface Assignment {
  /** The cluster's id. */
  readonly cluster: string;
  readonly self: Node;
  /** All tasks whose `NodeID` is this node. */
  readonly tasks: readonly Task[];
  readonly networks: readonly Network[];
  /**
   * The copy holds all that was committed when this peer came up, so that what is not in it is not
   * there. Until then nothing is made, and nothing is removed for being unknown.
   */
  readonly caughtUp: boolean;
  /** The last entry of the log that is in it. */
  readonly index: number;
}

export type WorkerInput =
  | { readonly kind: "tick"; readonly nowMs: number }
  | ({ readonly kind: "assigned" } & Assignment)
  /** The engine answers or not. After `ready` a whole list of containers follows. */
  | { readonly kind: "engine"; readonly ready: boolean; readonly reason: string }
  /**
   * All of gam's containers. The first list after `ready` was asked for after it; a later one may be
   * older than what is known by then.
   */
  | { readonly kind: "containers"; readonly containers: readonly ContainerState[] }
  | { readonly kind: "container"; readonly container: ContainerState }
  | { readonly kind: "acted"; readonly id: ActionId; readonly outcome: ActionOutcome }
  /** Whether there is a leader who takes reports. */
  | { readonly kind: "led"; readonly led: boolean }
  /** No node that is up sends connections by the state as it was before this entry. */
  | { readonly kind: "steered"; readonly index: number }
  /** What became of the report in flight. */
  | { readonly kind: "settled"; readonly committed: boolean };
