/**
 * Spread: the order in which a group of equal tasks takes nodes.
 *
 * A tree of label values, one level for each preference, with a heap of nodes at each leaf. The next
 * node is the best of the branch that has the fewest tasks of the service. Without preferences the tree
 * is one leaf. Nodes that lack the label share one branch.
 */
import type { Node, Placement } from "@gam/state";
import type { Candidate } from "./filter.ts";
import { Heap } from "./heap.ts";

/** A node with everything that its rank depends on; see ranksBefore(). Less is better. */
export interface Ranked extends Candidate {
  /** The service fails on this node again and again. */
  readonly failing: boolean;
  cost: number;
  /** How many soft rules about neighbours the node meets. More is better. */
  readonly preference: number;
  /** The fullest node comes first. */
  readonly packs: boolean;
  readonly imageMissing: boolean;
}

export interface Spread {
  /** The next node. */
  first(): Ranked | undefined;
  /** The first node got a task of the service: moves it back in the order. */
  settleFirst(): void;
  /** The first node has no room for another task: removes it. */
  removeFirst(): void;
  /** Tasks of the service in this branch. */
  readonly tasks: number;
}

export function spreadOver(nodes: readonly Ranked[], preferences: Preferences): Spread {
  return grow(nodes, descriptorsOf(preferences));
}

type Preferences = NonNullable<Placement["Preferences"]>;

function descriptorsOf(preferences: Preferences): string[] {
  return preferences
    .map(({ Spread }) => Spread?.SpreadDescriptor ?? "")
    .filter((descriptor) => descriptor !== "");
}

/** Returns: the branches that lead to the node, the widest first, each with a name of its own. */
export function branchesOf(node: Node, preferences: Preferences): readonly string[] {
  const values = descriptorsOf(preferences).map((descriptor) => labelOf(node, descriptor));
  return values.map((_, level) => JSON.stringify(values.slice(0, level + 1)));
}

function grow(nodes: readonly Ranked[], [descriptor, ...rest]: readonly string[]): Spread {
  if (descriptor === undefined) return new Leaf(nodes);
  const byValue = new Map<string, Ranked[]>();
  for (const ranked of nodes) {
    const value = labelOf(ranked.resources.node, descriptor);
    const together = byValue.get(value);
    if (together === undefined) byValue.set(value, [ranked]);
    else together.push(ranked);
  }
  const values = [...byValue.keys()].sort();
  return new Branch(values.map((value) => grow(byValue.get(value) ?? [], rest)));
}

function labelOf(node: Node, descriptor: string): string {
  for (const [prefix, labels] of [
    ["node.labels.", node.Spec.Labels],
    ["engine.labels.", node.Description.Engine.Labels],
  ] as const) {
    if (descriptor.toLowerCase().startsWith(prefix)) {
      return labels[descriptor.slice(prefix.length)] ?? "";
    }
  }
  return "";
}

function ranksBefore(a: Ranked, b: Ranked): boolean {
  if (a.failing !== b.failing) return b.failing;
  if (a.preference !== b.preference) return a.preference > b.preference;
  if (a.packs && a.cost !== b.cost) return a.cost > b.cost;
  if (a.ofService !== b.ofService && !a.packs) return a.ofService < b.ofService;
  if (a.cost !== b.cost) return a.cost < b.cost;
  if (a.imageMissing !== b.imageMissing) return b.imageMissing;
  return a.resources.node.ID < b.resources.node.ID;
}

class Leaf implements Spread {
  readonly #heap: Heap<Ranked>;
  tasks: number;

  constructor(nodes: readonly Ranked[]) {
    this.#heap = new Heap(nodes, ranksBefore);
    this.tasks = nodes.reduce((sum, { ofService }) => sum + ofService, 0);
  }

  first(): Ranked | undefined {
    return this.#heap.first();
  }

  settleFirst(): void {
    this.tasks += 1;
    this.#heap.settleFirst();
  }

  removeFirst(): void {
    this.#heap.removeFirst();
  }
}

class Branch implements Spread {
  readonly #children: readonly Spread[];
  tasks: number;

  constructor(children: readonly Spread[]) {
    this.#children = children;
    this.tasks = children.reduce((sum, { tasks }) => sum + tasks, 0);
  }

  first(): Ranked | undefined {
    return this.#next()?.first();
  }

  settleFirst(): void {
    this.#next()?.settleFirst();
    this.tasks += 1;
  }

  removeFirst(): void {
    this.#next()?.removeFirst();
  }

  #next(): Spread | undefined {
    let best: Spread | undefined;
    for (const child of this.#children) {
      if (child.first() === undefined) continue;
      if (best === undefined || child.tasks < best.tasks) best = child;
    }
    return best;
  }
}
