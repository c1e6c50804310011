/**
 * Member claims: addresses and keys that only one member may have.
 *
 * Decides what happens when a second node claims one. A live member keeps it, and the claim loses it. So hosts
 * that have swapped their addresses first each give up the old one, and find the new one free a moment later. A
 * node that is down, or was never heard, loses it: its host may have come back as another peer. When a node
 * comes back, its own peer claims again what the node lost.
 */
import { hostOf } from "./host-of.ts";
import type { Node } from "./node.ts";

/** Returns: the node with those claims that it may have, then the other nodes that lose a claim to it. */
export function claimed(node: Node, nodes: readonly Node[]): readonly Node[] {
  const losers: Node[] = [];
  let mine = node;
  for (const other of nodes) {
    if (other.ID === node.ID || !meet(mine, other)) continue;
    if (isThere(other)) mine = without(mine, other);
    else losers.push(without(other, mine));
  }
  return [mine, ...losers];
}

function isThere({ Status }: Node): boolean {
  return Status.State === "ready" || Status.State === "disconnected";
}

function keyOf({ Gam }: Node): string {
  return Gam.network?.publicKey ?? "";
}

function meet(a: Node, b: Node): boolean {
  if (keyOf(a) !== "" && keyOf(a) === keyOf(b)) return true;
  return a.Gam.addresses.some((address) => b.Gam.addresses.includes(address));
}

/** Returns: the node without everything that the other node claims too. */
function without(node: Node, other: Node): Node {
  const addresses = node.Gam.addresses.filter((one) => !other.Gam.addresses.includes(one));
  const [first] = addresses;
  const Status = { ...node.Status, Addr: first === undefined ? "" : hostOf(first) };
  const { network } = node.Gam;
  // Two tunnels with the same key would cut each other off.
  const keyless =
    network !== undefined && keyOf(node) !== "" && keyOf(node) === keyOf(other)
      ? { network: { ...network, publicKey: "", encryption: "none" as const } }
      : {};
  const moved = addresses.length === node.Gam.addresses.length ? {} : { Status };
  return { ...node, ...moved, Gam: { ...node.Gam, addresses, ...keyless } };
}
