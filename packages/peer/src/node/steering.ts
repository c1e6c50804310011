/**
 * Steering: up to which entry of the log the nodes send connections by.
 *
 * A task that leaves must not end while some node may still send somebody to it. So each peer tells the
 * nodes that have such tasks how far its own packet filter has come, and the worker of such a node waits
 * for all that are up. It does not wait for ever: what is lost on the way costs time, nothing else.
 */
import type { NodeId } from "@gam/core";
import { isLeaving, type NodeState, type View } from "@gam/state";

const upStates: ReadonlySet<NodeState> = new Set(["ready", "disconnected"]);

/** Of the plans that are not in force yet and in which a node has tasks that leave. */
interface Waiting {
  readonly firstIndex: number;
  readonly lastIndex: number;
}

export class Steering {
  readonly #self: NodeId;
  /** By node: its filter is as the state was after this entry, or later. */
  readonly #indexes = new Map<NodeId, number>();
  readonly #waiting = new Map<NodeId, Waiting>();

  constructor(self: NodeId) {
    this.#self = self;
  }

  /** This node is planned from the state as it is now. */
  planned(view: View): void {
    const lastIndex = view.index;
    for (const { ID } of view.nodes()) {
      if (ID === this.#self || !view.tasksOn(ID).some(isLeaving)) continue;
      const firstIndex = this.#waiting.get(ID)?.firstIndex ?? lastIndex;
      this.#waiting.set(ID, { firstIndex, lastIndex });
    }
  }

  /** What was planned at that entry, or before, is in force. Shape: whom to tell. */
  arranged(index: number): readonly NodeId[] {
    this.heard(this.#self, index);
    const told = [...this.#waiting].filter(([, { firstIndex }]) => firstIndex <= index);
    for (const [node, { lastIndex }] of told) {
      if (lastIndex <= index) this.#waiting.delete(node);
      else this.#waiting.set(node, { firstIndex: lastIndex, lastIndex });
    }
    return told.map(([node]) => node);
  }

  /** So far has that node come. */
  heard(node: NodeId, index: number): void {
    this.#indexes.set(node, Math.max(index, this.#indexes.get(node) ?? 0));
  }

  /** So far have all come that are up. */
  reached(view: View): number {
    for (const id of this.#indexes.keys()) {
      if (view.node(id) === undefined) this.#indexes.delete(id);
    }
    // Without its engine a node sends connections all the same.
    const up = view.nodes().filter(({ Status }) => upStates.has(Status.State));
    return Math.min(...up.map(({ ID }) => this.#indexes.get(ID) ?? 0));
  }
}
