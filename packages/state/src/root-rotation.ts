/** Root rotation: when the cluster's root key may be replaced by the next one. */
import type { Node } from "./node.ts";
import type { View } from "./view.ts";

/** Nodes that would be strangers if the next root key were the root key now. Empty without a next one. */
export function nodesWithoutNextRoot(view: View): readonly Node[] {
  const next = view.cluster?.NextRoot?.PublicKey;
  return next === undefined ? [] : view.nodes().filter(({ Gam }) => Gam.root !== next);
}
