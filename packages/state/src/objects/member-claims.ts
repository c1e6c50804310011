/**
 * Member claims: addresses and keys that only one member has.
 *
 * Decides who has one that a second node claims. A member that is there keeps what it has: an address is
 * left out of the claim, so that hosts which have swapped their addresses each give up the old one first and
 * find the new one free a moment later. A node that is down, or was never heard of, loses it, because a host may
 * come back as another peer. What a node has lost its own peer says again when it is back.
 */
import { hostOf } from "./host-of.ts";
import type { Node } from "./node.ts";

/** The node with what it may have of what it says, and the others that lose something by that. */
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

/** What is left of it when the other has what both say. */
function without(node: Node, other: Node): Node {
  const addresses = node.Gam.addresses.filter((one) => !other.Gam.addresses.includes(one));
  const [first] = addresses;
  const Status = { ...node.Status, Addr: first === undefined ? "" : hostOf(first) };
  const { network } = node.Gam;
  // Two tunnels by one key would each cut the other off.
  const keyless =
    network !== undefined && keyOf(node) !== "" && keyOf(node) === keyOf(other)
      ? { network: { ...network, publicKey: "", encryption: "none" as const } }
      : {};
  const moved = addresses.length === node.Gam.addresses.length ? {} : { Status };
  return { ...node, ...moved, Gam: { ...node.Gam, addresses, ...keyless } };
}
