/**
 * Ring: which members watch each member.
 *
 * Members form a ring in the order of a hash of their ids, so hosts that are named, bought or racked
 * together are not neighbours. The nearest live members on both sides watch each member. So live
 * members watch each other, each has the same load, and a change of one member affects only its
 * neighbours. When watchers are lost, the next ones along the ring take over.
 *
 * Source: after Suresh et al., "Stable and Consistent Membership at Scale with Rapid" (2018), which
 * uses several rings; with one, nobody has fewer distinct watchers than promised.
 */
import { crc32c, type NodeId } from "@gam/core";

export class Ring {
  readonly #order: readonly NodeId[];
  readonly #position: ReadonlyMap<NodeId, number>;

  constructor(ids: Iterable<NodeId>) {
    const hashed = [...new Set(ids)].map((id) => ({ id, hash: hashOf(id) }));
    hashed.sort((a, b) => a.hash - b.hash || (a.id < b.id ? -1 : 1));
    this.#order = hashed.map(({ id }) => id);
    this.#position = new Map(this.#order.map((id, at) => [id, at]));
  }

  /** Returns: at most `max` ids, half of them from each side; all other live members if there are fewer. */
  watchersOf(peer: NodeId, max: number, live: (id: NodeId) => boolean): NodeId[] {
    const at = this.#position.get(peer);
    if (at === undefined) return [];
    const size = this.#order.length;
    const found = new Set<NodeId>();
    for (const step of [1, size - 1]) {
      const sideMax = found.size + max / 2;
      for (let n = 1, spot = at; n < size && found.size < sideMax; n += 1) {
        spot = (spot + step) % size;
        const id = this.#order[spot] as NodeId;
        if (live(id)) found.add(id);
      }
    }
    return [...found];
  }
}

/** Ids are spread well, but may sort by when and where they were made. The hash removes that order. */
function hashOf(id: NodeId): number {
  return crc32c(Uint8Array.from(id, (character) => character.charCodeAt(0)));
}
