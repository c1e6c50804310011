/** Root rotation: when the next root key may replace the cluster's root key, and what changes with it. */

import type { View } from "../log/view.ts";
import type { Cluster, SealedForRoots } from "../objects/cluster.ts";
import type { Node } from "../objects/node.ts";
import { keysUnder } from "./sealing-keys.ts";

/**
 * Returns: nodes that would not be members if the next root key replaced the root key now. Empty without a next
 *         key.
 */
export function nodesWithoutNextRoot(view: View): readonly Node[] {
  const next = view.cluster?.NextRoot?.PublicKey;
  return next === undefined ? [] : view.nodes().filter(({ Gam }) => Gam.root !== next);
}

/** Whether every holder of one of these root keys can open these secrets. */
export function areSealed(
  secrets: readonly (SealedForRoots | undefined)[],
  roots: readonly (string | undefined)[],
): boolean {
  return secrets.every((sealed) =>
    roots.every((root) => root === undefined || !sealed || Object.hasOwn(sealed, root)),
  );
}

/** Whether every holder of that root key can open these secrets, and nobody else. */
export function areSealedFor(
  secrets: readonly (SealedForRoots | undefined)[],
  root: string | undefined,
): boolean {
  return secrets.every((sealed) => sealed === undefined || Object.keys(sealed).join() === root);
}

/** Returns: the cluster with its next root key as its root key. Drops what only the old key can open. */
export function withNextRoot(
  cluster: Cluster,
  { PublicKey, SelfSignature }: NonNullable<Cluster["NextRoot"]>,
): Cluster {
  const { NextRoot: _, RootSelfSignature: __, UnlockKey, ...rest } = cluster;
  const kept = (sealed: SealedForRoots): SealedForRoots => {
    const text = sealed[PublicKey];
    return text === undefined ? {} : { [PublicKey]: text };
  };
  const { Worker, Manager } = cluster.Tokens;
  return {
    ...rest,
    RootPublicKey: PublicKey,
    SealingKeys: keysUnder(PublicKey, cluster.SealingKeys),
    Tokens: {
      Worker: { ...Worker, Sealed: kept(Worker.Sealed) },
      Manager: { ...Manager, Sealed: kept(Manager.Sealed) },
    },
    ...(SelfSignature !== undefined && { RootSelfSignature: SelfSignature }),
    ...(UnlockKey !== undefined && { UnlockKey: kept(UnlockKey) }),
  };
}
