/**
 * Address book: records which holder has which address of which network, and which nodes a network is on.
 *
 * Feed it each holder's current addresses; repeated calls have no effect. Two holders have the same address only
 * after a faulty plan; the address is then free when both have released it.
 */
import type { NetworkId, NodeId } from "@gam/core";
import { isIn, type Span } from "../plan/subnet.ts";

/** What one holder has in one network. */
export interface Holding {
  readonly network: NetworkId;
  /** `undefined`: the holder has no address yet. */
  readonly number: number | undefined;
  /** The node that needs a bridge of the network for this holder. */
  readonly node?: NodeId;
  /** The holder has no node yet and will get one. */
  readonly roams?: boolean;
}

interface Page {
  /** Holders of each address. */
  readonly held: Map<number, number>;
  /** Holders on each node. */
  readonly nodes: Map<NodeId, number>;
  roaming: number;
}

const nobody: ReadonlyMap<NodeId, number> = new Map();

export class AddressBook {
  readonly #pages = new Map<NetworkId, Page>();
  readonly #holders = new Map<string, readonly Holding[]>();

  /** Replaces what the holder has. Returns: the networks of its old and new addresses. */
  hold(holder: string, holdings: readonly Holding[]): readonly NetworkId[] {
    const before = this.#holders.get(holder) ?? [];
    if (before.length === 0 && holdings.length === 0) return before as [];
    for (const one of before) this.#count(one, -1);
    for (const one of holdings) this.#count(one, 1);
    if (holdings.length === 0) this.#holders.delete(holder);
    else this.#holders.set(holder, holdings);
    return [...before, ...holdings].map(({ network }) => network);
  }

  isHeld(network: NetworkId, number: number): boolean {
    return this.#pages.get(network)?.held.has(number) === true;
  }

  /** The number of held addresses in the span. */
  countIn(network: NetworkId, span: Span): number {
    let count = 0;
    for (const number of this.#pages.get(network)?.held.keys() ?? []) {
      if (isIn(number, span)) count += 1;
    }
    return count;
  }

  /** Nodes that have something of the network, in no order. */
  nodesOf(network: NetworkId): ReadonlyMap<NodeId, number> {
    return this.#pages.get(network)?.nodes ?? nobody;
  }

  /** Whether a holder with an address in the network still waits for a node. */
  isAwaited(network: NetworkId): boolean {
    return (this.#pages.get(network)?.roaming ?? 0) > 0;
  }

  clear(): void {
    this.#pages.clear();
    this.#holders.clear();
  }

  #count({ network, number, node, roams }: Holding, by: 1 | -1): void {
    let page = this.#pages.get(network);
    if (page === undefined) {
      page = { held: new Map(), nodes: new Map(), roaming: 0 };
      this.#pages.set(network, page);
    }
    if (number !== undefined) add(page.held, number, by);
    if (node !== undefined) add(page.nodes, node, by);
    if (roams) page.roaming += by;
    if (page.held.size === 0 && page.nodes.size === 0 && page.roaming === 0) {
      this.#pages.delete(network);
    }
  }
}

function add<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
