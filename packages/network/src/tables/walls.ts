/**
 * Walls: what a container must not reach of its own host, of other hosts, and of other networks.
 *
 * Three walls. From any bridge of the host, no packet gets to a tunnel's address, to the ports of VXLAN and
 * WireGuard, and to a peer's own port, at any node: a frame that a container sends there would be taken for a
 * node's own, because the engine gives it the address of its host. From the bridge of an internal
 * network nothing gets to the host but questions for names. And nothing gets from another device to an internal network,
 * or out of it.
 *
 * A packet is looked at by the port that it goes to first, and before the kernel tracks it: one that stays within
 * its network costs one look into one set. All of it has been put together from fragments by then. A node
 * behind a bridge of this host (a virtual machine) is let through by its address, if that is where the address belongs.
 * A bridge that has the host's own address is its line: hosts come in by it, and new ones too.
 *
 * A container whose device is on the host's line itself (macvlan, ipvlan) does not pass here.
 *
 * Source: nft(8) 1.0.6; the order of hooks in include/uapi/linux/netfilter_ipv4.h.
 */
import { tunnelRange } from "@gam/state";
import type { NetworkPlane, NodePlan } from "../plan/node-plan.ts";
import { type ElementSet, type NftTable, quoted, setOf } from "./nft-table.ts";

export const tunnelDevice = "gamwg";

type Chain = [string, string[]];
type NamedSet = [string, ElementSet];

/** The part of IPv6: what is not there for it is not open. Networks have none of it. */
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
          // Also has the kernel put fragments together before all that is above.
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

/** Base chains, and those that they lead to. */
export function wallChains(plan: NodePlan): Chain[] {
  return [
    doorChain("ip", "guests"),
    ["from_bridge", [`ip daddr ${tunnelRange} drop`, toDoor]],
    ["walls", [wallHook, `${fromBridge(plan)} goto from_bridge`]],
    // A tunnel's address is no way into the host for anybody else.
    ["tunnelled", [`iifname { "lo", "${tunnelDevice}" } accept`, "drop"]],
    ["internal", internalRules],
    ...(internalsOf(plan).length === 0 ? [] : [forwardChain]),
  ];
}

/** In the chain of what comes in to the host, before what lets in any of it. */
export function wallsOfInput(plan: NodePlan): string[] {
  const isNeeded = internalsOf(plan).length > 0;
  return [
    `ip daddr ${tunnelRange} goto tunnelled`,
    ...(isNeeded ? ["iifname @internals goto internal"] : []),
  ];
}

/** Behind the kernel's putting together of fragments (-400), before its tracking of connections (-200). */
const wallHook = "type filter hook prerouting priority -250; policy accept;";
const fromBridge = ({ walls: { line } }: NodePlan): string =>
  `meta iifkind "bridge"${line === undefined ? "" : ` iifname != ${quoted(line)}`}`;
const toDoor = "meta l4proto . th dport @doors goto door";

/**
 * What comes from a bridge and is for a port of peers. `friends`: the set of addresses that may be a
 * node's behind that bridge.
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
  "ct direction reply accept", // What the host has asked for itself.
  `iifname . ip daddr @internal_gateways ${names} accept`,
  // As in other networks: a service address without a task behind it refuses.
  "iifname . ip daddr @internal_vips tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset",
  "iifname . ip daddr @internal_vips icmp type echo-request accept",
  "iifname . ip daddr @internal_vips meta l4proto != { tcp, icmp } reject",
  "drop",
];

/** Docker's rules let in what comes from another of its bridges with an address of the network as its source. */
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
