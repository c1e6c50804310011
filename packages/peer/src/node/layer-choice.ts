/**
 * Layer choice: which layers of an image a host fetches next, and from which peers.
 *
 * Layers that few peers have come first. Where several are equal, each host takes them in an order of its own, so
 * that hosts which fetch the same image become sources for each other. A layer is taken from the peer that has the
 * fewest others, which leaves the first source to those that find it nowhere else.
 */
import type { NodeId } from "@gam/core";

/** A peer that has layers. */
export interface LayerSource {
  readonly peer: NodeId;
  readonly has: ReadonlySet<string>;
}

export interface LayerTransfer {
  readonly layer: string;
  readonly from: NodeId;
}

export interface LayerRound {
  readonly self: NodeId;
  /** Layers that this host lacks, without those under way. */
  readonly lacking: readonly string[];
  /** Without peers that are busy or left alone. */
  readonly sources: readonly LayerSource[];
  readonly underWay: readonly LayerTransfer[];
  /** Transfers at one time, in all and from one peer. */
  readonly transfersMax: number;
  readonly fromPeerMax: number;
}

/** Returns: the transfers to begin now. */
export function chooseLayers(round: LayerRound): LayerTransfer[] {
  const { self, sources, underWay, transfersMax, fromPeerMax } = round;
  const holders = (layer: string): LayerSource[] => sources.filter(({ has }) => has.has(layer));
  const ranked = [...new Set(round.lacking)]
    .map((layer) => ({ layer, holders: holders(layer), order: mix(self + layer) }))
    .filter(({ holders }) => holders.length > 0)
    .sort((a, b) => a.holders.length - b.holders.length || a.order - b.order);
  const chosen: LayerTransfer[] = [];
  const load = (peer: NodeId): number =>
    [...underWay, ...chosen].filter(({ from }) => from === peer).length;
  for (const { layer, holders } of ranked) {
    if (underWay.length + chosen.length >= transfersMax) break;
    const [best] = holders
      .filter(({ peer }) => load(peer) < fromPeerMax)
      .map(({ peer, has }) => ({ peer, load: load(peer), has: has.size, order: mix(self + peer) }))
      .sort((a, b) => a.load - b.load || a.has - b.has || a.order - b.order);
    if (best !== undefined) chosen.push({ layer, from: best.peer });
  }
  return chosen;
}

/** Returns: these peers in an order that is the same on all hosts, and another one for each image. */
export function openingOrder(image: string, peers: readonly NodeId[]): NodeId[] {
  return [...peers].sort((a, b) => mix(image + a) - mix(image + b) || (a < b ? -1 : 1));
}

/** FNV-1a with a final mix: the same number for a text on all hosts. */
function mix(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
