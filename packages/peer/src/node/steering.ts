/**
 * Steering: up to which log entry the nodes' network plans are in force.
 *
 * A leaving task must not end while some node may still send connections to it. So each peer tells the nodes
 * that have leaving tasks up to which entry its own packet filter is configured. The worker of such a node
 * waits for all nodes that are up. The wait is limited: a lost message costs time, nothing else.
 */
import type { NodeId } from "@gam/core";
import { isLeaving, type NodeState, type View } from "@gam/state";

const upStates: ReadonlySet<NodeState> = new Set(["ready", "disconnected"]);

/** For a node with leaving tasks: the range of plans that include them and are not in force yet. */
interface Waiting {
  readonly firstIndex: number;
  readonly lastIndex: number;
}

export class Steering {
  readonly #self: NodeId;
  /** By node: its filter matches the state after this entry, or a later one. */
  readonly #indexes = new Map<NodeId, number>();
  readonly #waiting = new Map<NodeId, Waiting>();

  constructor(self: NodeId) {
    this.#self = self;
  }

  /** This node's plan was computed from this state. */
  planned(view: View): void {
    const lastIndex = view.index;
    for (const { ID } of view.nodes()) {
      if (ID === this.#self || !view.tasksOn(ID).some(isLeaving)) continue;
      const firstIndex = this.#waiting.get(ID)?.firstIndex ?? lastIndex;
      this.#waiting.set(ID, { firstIndex, lastIndex });
    }
  }

  /** The plan of that entry is in force, and so are all earlier ones. Returns: the nodes to tell. */
  arranged(index: number): readonly NodeId[] {
    this.heard(this.#self, index);
    const told = [...this.#waiting].filter(([, { firstIndex }]) => firstIndex <= index);
    for (const [node, { lastIndex }] of told) {
      if (lastIndex <= index) this.#waiting.delete(node);
      else this.#waiting.set(node, { firstIndex: lastIndex, lastIndex });
    }
    return told.map(([node]) => node);
  }

  /** That node's plan of this entry is in force. */
  heard(node: NodeId, index: number): void {
    this.#indexes.set(node, Math.max(index, this.#indexes.get(node) ?? 0));
  }

  /** Returns: the entry whose plan is in force on all nodes that are up. */
  reached(view: View): number {
    for (const id of this.#indexes.keys()) {
      if (view.node(id) === undefined) this.#indexes.delete(id);
    }
    // A node without its engine still sends connections.
    const up = view.nodes().filter(({ Status }) => upStates.has(Status.State));
    return Math.min(...up.map(({ ID }) => this.#indexes.get(ID) ?? 0));
  }
}
