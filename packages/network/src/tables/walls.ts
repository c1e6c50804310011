/**
 * Walls: block what a container must not reach on its own host, on other hosts, and in other networks.
 *
 * There are three walls:
 * - From any bridge of the host, no packet reaches a tunnel's address, the ports of VXLAN and WireGuard, or a
 *   peer's own port, on any node. The engine gives a container's packet the address of its host, so other nodes
 *   would accept it as the node's own.
 * - From the bridge of an internal network, only DNS queries reach the host.
 * - Nothing passes between an internal network and another device.
 *
 * A packet is first matched by its destination port, before conntrack, so one that stays within its network
 * costs one lookup. Fragments are reassembled by then. A node behind a bridge of this host (a virtual machine)
 * is let through by its source address, if the route to that address goes through that bridge. A bridge with
 * the host's own address is its line: other hosts come in through it, also new ones.
 *
 * The walls do not see a container whose device is on the host's line itself (macvlan, ipvlan).
 *
 * Source: nft(8) 1.0.6; the order of hooks in include/uapi/linux/netfilter_ipv4.h.
 */
import { tunnelRange } from "@gam/state";
import type { NetworkPlane, NodePlan } from "../plan/node-plan.ts";
import { type ElementSet, type NftTable, quoted, setOf } from "./nft-table.ts";

export const tunnelDevice = "gamwg";

type Chain = [string, string[]];
type NamedSet = [string, ElementSet];

/** The walls for IPv6, which has only these rules because gam's networks have no IPv6. */
export function wallTable6(plan: NodePlan): NftTable {
  const { doors6, ownDoors } = plan.walls;
  const addresses = [...new Set(doors6.map(({ address }) => address as string))];
  return {
    family: "ip6",
    lasting: new Map(),
    sets: new Map<string, ElementSet>([
      ["members", setOf("type ipv6_addr", addresses)],
      portSet(plan),
      [
        "mesh",
        setOf(
          "type ipv6_addr . inet_service",
          doors6.map(({ address, port }) => `${address} . ${port}`),
        ),
      ],
      ["own_mesh", setOf("type inet_service", ownDoors.map(String))],
      internalSet(plan),
    ]),
    chains: new Map<string, string[]>([
      doorChain("ip6", "members"),
      ["walls", [wallHook, `${fromBridge(plan)} ${toDoor}`]],
      [
        "input",
        [
          "type filter hook input priority -10; policy accept;",
          // Conntrack in this rule also makes the kernel reassemble fragments before all chains above.
          "iifname @internals ct direction reply accept",
          "iifname @internals drop",
        ],
      ],
      [
        "forward",
        [
          "type filter hook forward priority -10; policy accept;",
          "iifname @internals oifname != @internals drop",
          "oifname @internals iifname != @internals drop",
        ],
      ],
    ]),
  };
}

export function wallSets(plan: NodePlan): NamedSet[] {
  const { members, guests, doors, ownDoors } = plan.walls;
  const internals = internalsOf(plan);
  return [
    ["members", setOf("type ipv4_addr", members)],
    ["guests", setOf("type ipv4_addr", guests)],
    portSet(plan),
    [
      "mesh",
      setOf(
        "type ipv4_addr . inet_service",
        doors.map(({ address, port }) => `${address} . ${port}`),
      ),
    ],
    ["own_mesh", setOf("type inet_service", ownDoors.map(String))],
    internalSet(plan),
    [
      "internal_pairs",
      setOf(
        "type ifname . ifname",
        internals.map(({ bridge }) => `${quoted(bridge)} . ${quoted(bridge)}`),
      ),
    ],
    [
      "internal_gateways",
      setOf(
        "type ifname . ipv4_addr",
        internals.map(({ bridge, gateway }) => `${quoted(bridge)} . ${gateway}`),
      ),
    ],
    [
      "internal_vips",
      setOf(
        "type ifname . ipv4_addr",
        internals.flatMap(({ bridge, vips }) => vips.map((vip) => `${quoted(bridge)} . ${vip}`)),
      ),
    ],
  ];
}

/** Base chains, and the chains that they jump to. */
export function wallChains(plan: NodePlan): Chain[] {
  return [
    doorChain("ip", "guests"),
    ["from_bridge", [`ip daddr ${tunnelRange} drop`, toDoor]],
    ["walls", [wallHook, `${fromBridge(plan)} goto from_bridge`]],
    // Only the host itself and its tunnel may send to a tunnel's address.
    ["tunnelled", [`iifname { "lo", "${tunnelDevice}" } accept`, "drop"]],
    ["internal", internalRules],
    ...(internalsOf(plan).length === 0 ? [] : [forwardChain]),
  ];
}

/** Rules for the host's input chain, before any rule that accepts. */
export function wallsOfInput(plan: NodePlan): string[] {
  const isNeeded = internalsOf(plan).length > 0;
  return [
    `ip daddr ${tunnelRange} goto tunnelled`,
    ...(isNeeded ? ["iifname @internals goto internal"] : []),
  ];
}

/** After the kernel reassembles fragments (-400), before it tracks connections (-200). */
const wallHook = "type filter hook prerouting priority -250; policy accept;";
const fromBridge = ({ walls: { line } }: NodePlan): string =>
  `meta iifkind "bridge"${line === undefined ? "" : ` iifname != ${quoted(line)}`}`;
const toDoor = "meta l4proto . th dport @doors goto door";

/**
 * The chain for packets from a bridge to a port of peers. `friends`: the set of addresses that may belong to a
 * node behind that bridge.
 */
function doorChain(family: "ip" | "ip6", friends: string): Chain {
  const here = family === "ip" ? "{ local, broadcast, multicast }" : "{ local, multicast }";
  return [
    "door",
    [
      `${family} saddr @${friends} fib saddr . iif oif exists accept`,
      `meta l4proto udp ${family} daddr @members drop`,
      `meta l4proto udp fib daddr type ${here} drop`,
      `${family} daddr . tcp dport @mesh drop`,
      "tcp dport @own_mesh fib daddr type local drop",
    ],
  ];
}

const names = "meta l4proto { tcp, udp } th dport 53";
const internalRules = [
  "ct direction reply accept", // Replies to the host's own connections.
  `iifname . ip daddr @internal_gateways ${names} accept`,
  // As in other networks: a service address without a backend refuses connections.
  "iifname . ip daddr @internal_vips tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset",
  "iifname . ip daddr @internal_vips icmp type echo-request accept",
  "iifname . ip daddr @internal_vips meta l4proto != { tcp, icmp } reject",
  "drop",
];

/**
 * Needed because Docker accepts a packet from another of its bridges whose source is an address of the network.
 */
const forwardChain: Chain = [
  "forward",
  [
    "type filter hook forward priority -10; policy accept;",
    "iifname @internals iifname . oifname != @internal_pairs drop",
    "oifname @internals iifname . oifname != @internal_pairs drop",
  ],
];

function portSet({ vxlanPort, walls }: NodePlan): NamedSet {
  const { tunnelPort, doors, doors6, ownDoors } = walls;
  const mesh = [...doors, ...doors6].map(({ port }) => port);
  const udp = [vxlanPort, tunnelPort].map((port) => `udp . ${port}`);
  const tcp = [...mesh, ...ownDoors].map((port) => `tcp . ${port}`);
  return ["doors", setOf("type inet_proto . inet_service", [...udp, ...tcp])];
}

function internalSet(plan: NodePlan): NamedSet {
  return [
    "internals",
    setOf(
      "type ifname",
      internalsOf(plan).map(({ bridge }) => quoted(bridge)),
    ),
  ];
}

function internalsOf({ networks }: NodePlan): readonly NetworkPlane[] {
  return networks.filter(({ internal }) => internal);
}
