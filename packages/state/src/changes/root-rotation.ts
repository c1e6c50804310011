/** Root rotation: when the next root key may replace the cluster's root key, and what changes with it. */

import type { View } from "../log/view.ts";
import type { Cluster, JoinToken } from "../objects/cluster.ts";
import type { Node } from "../objects/node.ts";

/**
 * Returns: nodes that would not be members if the next root key replaced the root key now. Empty without a next
 *         key.
 */
export function nodesWithoutNextRoot(view: View): readonly Node[] {
  const next = view.cluster?.NextRoot?.PublicKey;
  return next === undefined ? [] : view.nodes().filter(({ Gam }) => Gam.root !== next);
}

/** Whether every holder of one of these root keys can unseal the tokens. */
export function areSealed(
  tokens: readonly (JoinToken | undefined)[],
  roots: readonly (string | undefined)[],
): boolean {
  return tokens.every((token) =>
    roots.every((root) => root === undefined || !token || Object.hasOwn(token.Sealed, root)),
  );
}

/**
 * Returns: the cluster with that key as its root key. Drops the token texts that only the old key can unseal.
 */
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
