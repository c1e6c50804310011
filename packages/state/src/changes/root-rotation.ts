/** Root rotation: when the cluster's root key may be replaced by the next one, and what goes with it. */

import type { View } from "../log/view.ts";
import type { Cluster, JoinToken } from "../objects/cluster.ts";
import type { Node } from "../objects/node.ts";

/** Nodes that would be strangers if the next root key were the root key now. Empty without a next one. */
export function nodesWithoutNextRoot(view: View): readonly Node[] {
  const next = view.cluster?.NextRoot?.PublicKey;
  return next === undefined ? [] : view.nodes().filter(({ Gam }) => Gam.root !== next);
}

/** Whether every holder of one of these root keys can show the tokens. */
export function areSealed(
  tokens: readonly (JoinToken | undefined)[],
  roots: readonly (string | undefined)[],
): boolean {
  return tokens.every((token) =>
    roots.every((root) => root === undefined || !token || Object.hasOwn(token.Sealed, root)),
  );
}

/** The cluster once that key is its root key. What only holders of the one before can open is dropped. */
export function withNextRoot(cluster: Cluster, publicKey: string): Cluster {
  const { NextRoot: _, ...rest } = cluster;
  const kept = ({ PublicKey, Sealed }: JoinToken): JoinToken => {
    const text = Sealed[publicKey];
    return { PublicKey, Sealed: text === undefined ? {} : { [publicKey]: text } };
  };
  const { Worker, Manager } = cluster.Tokens;
  const Tokens = { Worker: kept(Worker), Manager: kept(Manager) };
  return { ...rest, RootPublicKey: publicKey, Tokens };
}
