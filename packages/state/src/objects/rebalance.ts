/**
 * Rebalance: what the cluster remembers of tasks that it moves to other nodes.
 *
 * A part of the cluster's own object, so that the next leader goes on with the moves that are under way.
 */
import type { NodeId, ServiceId, TaskId } from "@gam/core";

export interface RebalanceMove {
  /** The task that moves. */
  readonly task: TaskId;
  readonly service: ServiceId;
  readonly from: NodeId;
  readonly to: NodeId;
  readonly reason: string;
}

/** A move that has begun. */
export interface OpenMove extends RebalanceMove {
  /** The task that takes over. */
  readonly successor: TaskId;
  /** Version of the service. A service that changes since ends the move. */
  readonly basedOn: number;
  readonly atMs: number;
}

export interface PastMove extends OpenMove {
  readonly endedAtMs: number;
  /** "" for a move that was done, or why it was not. */
  readonly problem: string;
}

export interface RebalanceMemory {
  /** Counts the writes: a plan that knows an older one is void. */
  readonly serial: number;
  /** The cluster moves tasks by itself. */
  readonly auto: boolean;
  /** A person has asked for it, and there may be more to move. */
  readonly isAsked: boolean;
  readonly open: readonly OpenMove[];
  /** The latest last. */
  readonly past: readonly PastMove[];
  /** Why it has stopped before its end. */
  readonly stopped?: { readonly atMs: number; readonly reason: string } | undefined;
}

export const noRebalance: RebalanceMemory = {
  serial: 0,
  auto: false,
  isAsked: false,
  open: [],
  past: [],
};

export const openMovesMax = 16;
export const pastMovesMax = 20;
