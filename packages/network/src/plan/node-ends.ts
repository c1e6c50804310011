/**
 * Node ends: finds the addresses and the key with which each node takes part in networks across hosts.
 *
 * Decides which nodes take no part, and which of two nodes with the same key or address keeps it. If two WireGuard
 * peers shared a key or an address, each would keep taking it from the other.
 */
import type { NodeId } from "@gam/core";
import { hostOf, type Node, tunnelRange, type View } from "@gam/state";
import type { Door, Walls } from "./node-plan.ts";
import { type Oddities, shown } from "./oddities.ts";
import {
  type Ip4,
  ip4,
  ip6,
  type Port,
  port,
  type WireguardKey,
  wireguardKey,
} from "./safe-values.ts";
import { sorted } from "./segment.ts";
import { isIn, numberOf, type Span, spanOf } from "./subnet.ts";

export const tunnelPort = port(51_820) as Port;

export interface NodeEnd {
  readonly underlay: Ip4;
  /** Absent: the node does not encrypt. */
  readonly tunnel?: { readonly address: Ip4; readonly publicKey: WireguardKey };
}

/** The ends of all nodes that take part, by node id. */
export function nodeEnds(view: View, self: NodeId, oddities: Oddities): Map<NodeId, NodeEnd> {
  const ends = new Map<NodeId, NodeEnd>();
  const taken = new Map<string, Node>();
  for (const node of sorted(view.nodes(), (one) => rankOf(one, self))) {
    const end = takesPart(node) ? endOf(node, oddities) : undefined;
    if (end === undefined) continue;
    // A shared underlay address is allowed: a host that was set up again has the same one as its old node.
    const { underlay } = end;
    const tunnel =
      end.tunnel && isUnshared(node, end, { taken, oddities }) ? end.tunnel : undefined;
    ends.set(node.ID, { underlay, ...(tunnel && { tunnel }) });
  }
  return ends;
}

/** The first node keeps a shared value: this node, then nodes that are up, then the oldest. */
function rankOf({ ID, Status, CreatedAt }: Node, self: NodeId): string {
  return `${ID === self ? 0 : 1}${Status.State === "down" ? 1 : 0} ${CreatedAt} ${ID}`;
}

function takesPart({ Gam }: Node): boolean {
  return Gam.network !== undefined && Gam.network.problem === "";
}

function endOf({ ID, Status, Gam }: Node, oddities: Oddities): NodeEnd | undefined {
  const named = (part: string) => () => `${part} of node ${shown(ID)}`;
  const underlay = oddities.unless(hostAddress(Status.Addr), named("address"), Status.Addr);
  if (underlay === undefined) return undefined;
  const { network, tunnel = "" } = Gam;
  if (network === undefined || network.encryption === "none") return { underlay };
  if (network.publicKey === "" || tunnel === "") return { underlay };
  const key = wireguardKey(network.publicKey);
  const publicKey = oddities.unless(key, named("tunnel key"), network.publicKey);
  const address = oddities.unless(tunnelAddress(tunnel), named("tunnel address"), tunnel);
  if (publicKey === undefined || address === undefined) return { underlay };
  return { underlay, tunnel: { address, publicKey } };
}

interface Claims {
  /** Addresses and keys to the earlier nodes that have them. This node's are added. */
  readonly taken: Map<string, Node>;
  readonly oddities: Oddities;
}

/** Whether no earlier node has the tunnel's addresses and key. */
function isUnshared(
  node: Node,
  { tunnel, underlay }: NodeEnd,
  { taken, oddities }: Claims,
): boolean {
  const claims = [...(tunnel ? [tunnel.address, tunnel.publicKey] : []), underlay];
  const other = claims.map((claim) => taken.get(claim)).find((one) => one !== undefined);
  if (other === undefined) {
    for (const claim of claims) taken.set(claim, node);
    return true;
  }
  if (node.Status.State !== "down") {
    const why = `its address or key is that of node ${shown(other.ID)}`;
    oddities.leftOut(`tunnel of node ${shown(node.ID)}`, why);
  }
  return false;
}

/** The checked host address. It must not be in the tunnels' range: those packets go through a tunnel only. */
function hostAddress(text: string): Ip4 | undefined {
  const address = ip4(text);
  return address !== undefined && !isInTunnels(address) ? address : undefined;
}

function tunnelAddress(text: string): Ip4 | undefined {
  const address = ip4(text);
  return address !== undefined && isInTunnels(address) ? address : undefined;
}

function isInTunnels(address: Ip4): boolean {
  return isIn(numberOf(address) ?? 0, spanOf(tunnelRange) as Span);
}

/** The addresses and ports of nodes that containers must not reach. Host names are not resolved. */
export function wallsOf(view: View, self: NodeId): Walls {
  const nodes = view.nodes();
  const doors = nodes.flatMap((node) => doorsOf(node));
  const underlays = nodes.flatMap(({ ID, Status }) => {
    const address = ip4(Status.Addr);
    return address === undefined ? [] : [{ ID, address }];
  });
  return {
    tunnelPort,
    members: unique([...underlays, ...doors].flatMap(({ address }) => ip4(address) ?? [])),
    guests: unique(underlays.flatMap(({ ID, address }) => (ID === self ? [] : [address]))),
    doors: doors.flatMap(({ address, port }) => bothSafe(ip4(address), port)),
    doors6: doors.flatMap(({ address, port }) => bothSafe(ip6(address), port)),
    ownDoors: unique(
      nodes
        .filter(({ ID }) => ID === self)
        .flatMap(doorsOf)
        .map(({ port }) => port),
    ),
  };
}

/** Where a node's peer listens. An invalid port is left out: nothing can listen there. */
function doorsOf({ Gam }: Node): { readonly address: string; readonly port: Port }[] {
  return Gam.addresses.flatMap((text) => {
    const found = port(Number(text.slice(text.lastIndexOf(":") + 1)));
    return found === undefined ? [] : [{ address: hostOf(text), port: found }];
  });
}

function bothSafe<Address>(address: Address | undefined, port: Port): Door<Address>[] {
  return address === undefined ? [] : [{ address, port }];
}

function unique<T extends string | number>(values: readonly T[]): T[] {
  return [...new Set(values)].sort((a, b) => (a < b ? -1 : 1));
}
