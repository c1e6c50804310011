/**
 * Host table: makes the host's packet filter rules from a node's plan.
 *
 * Decides which packets are translated to which address, and which packets must not reach the host. It cannot make
 * the host forward a packet that another table drops, so the runtime keeps rules among Docker's for that
 * (forward-rules.ts).
 *
 * Base chains and sets are always the same; only elements, and the chains of services and ports, change. So a
 * packet is looked up in sets at a constant cost, and a change is a few lines.
 *
 * Source: nft(8) 1.0.6; the order of hooks in "Netfilter hooks", wiki.nftables.org.
 */
import { tunnelRange } from "@gam/state";
import type { NodePlan, PortPlane } from "../plan/node-plan.ts";
import { type ElementSet, mapOf, type NftTable, quoted, setOf } from "./nft-table.ts";
import { clientRules, returnChains, returnSets } from "./return-path.ts";
import { briefly, briefPolicy, chainOfService, serviceChain, targetsOf } from "./service-rules.ts";
import { tunnelDevice, wallChains, wallSets, wallsOfInput } from "./walls.ts";

const bridges = '"gam-*"';
/** A new plan's table is compared with the old plan's, which exists already. */
const tables = new WeakMap<NodePlan, NftTable>();

export function hostTable(plan: NodePlan): NftTable {
  const table = tables.get(plan) ?? makeTable(plan);
  tables.set(plan, table);
  return table;
}

function makeTable(plan: NodePlan): NftTable {
  return {
    family: "ip",
    lasting: briefPolicy,
    sets: setsOf(plan),
    chains: new Map([
      ...plan.services.flatMap((service) => chainOfService(service, briefly)),
      ...plan.ports.flatMap((port) => chainOfPort(port)),
      ...baseChains(plan),
    ]),
  };
}

function setsOf(plan: NodePlan): Map<string, ElementSet> {
  const { networks, services, ports, neighbours } = plan;
  const bridgeOf = new Map(networks.map(({ id, bridge }) => [id, quoted(bridge)]));
  const served = services.filter(({ backends }) => backends.length > 0);
  const open = ports.filter(({ backends }) => backends.length > 0);
  const vni = "typeof @th,96,24";
  return new Map([
    ...wallSets(plan),
    ...returnSets(plan),
    ["neighbours", setOf("type ipv4_addr", neighbours)],
    [
      "vnis",
      setOf(
        vni,
        networks.map((network) => String(network.vni)),
      ),
    ],
    [
      "vnis_encrypted",
      setOf(
        vni,
        networks.flatMap((network) => (network.encrypted ? [String(network.vni)] : [])),
      ),
    ],
    [
      "vips",
      setOf(
        "type ipv4_addr",
        networks.flatMap(({ vips }) => vips),
      ),
    ],
    [
      "gateways",
      setOf(
        "type ipv4_addr",
        networks.map(({ gateway }) => gateway),
      ),
    ],
    [
      "published",
      setOf(
        "type inet_proto . inet_service",
        ports.map(({ protocol, published }) => `${protocol} . ${published}`),
      ),
    ],
    [
      "gateway_of",
      mapOf(
        "type ifname : ipv4_addr",
        networks.map((one) => [quoted(one.bridge), one.gateway]),
      ),
    ],
    [
      "hairpin",
      mapOf(
        "type ipv4_addr . ipv4_addr : ipv4_addr",
        networks.flatMap(({ locals, gateway }) =>
          locals.map((local): [string, string] => [`${local} . ${local}`, gateway]),
        ),
      ),
    ],
    [
      "services",
      mapOf(
        "type ipv4_addr : verdict",
        served.map((service) => [service.vip, `goto ${serviceChain(service)}`]),
      ),
    ],
    [
      "services_from",
      mapOf(
        "type ifname . ipv4_addr : verdict",
        served.map((service) => [
          `${bridgeOf.get(service.network)} . ${service.vip}`,
          `goto ${serviceChain(service)}`,
        ]),
      ),
    ],
    [
      "ports",
      mapOf(
        "type inet_proto . inet_service : verdict",
        open.map((port) => [`${port.protocol} . ${port.published}`, `goto ${portChain(port)}`]),
      ),
    ],
  ]);
}

const portChain = ({ key }: PortPlane): string => `port_${key}`;

function chainOfPort(port: PortPlane): [string, string[]][] {
  const { backends } = port;
  if (backends.length === 0) return [];
  const before = `meta l4proto ${port.protocol} ${briefly}`;
  const rules = targetsOf(port).map((target) => `${before} dnat to ${target} : ${port.target}`);
  return [[portChain(port), rules]];
}

/** Each rule compares device names last, because that costs most. */
function baseChains(plan: NodePlan): [string, string[]][] {
  const { vxlanPort } = plan;
  const names = "ip daddr @gateways meta l4proto { tcp, udp } th dport 53";
  const published = "meta l4proto . th dport";
  // route_localnet is on so that the host can use its own published ports at 127.0.0.1. Nobody else may.
  const noLoopback = ["daddr", "saddr"].map((end) => {
    return `ip ${end} 127.0.0.0/8 iifname ${bridges} drop`;
  });
  return [
    // Before Docker's chain, which then gets only connections that are not gam's. Packets of an established
    // connection do not pass a nat chain, so rules here cost them nothing.
    [
      "prerouting",
      [
        "type nat hook prerouting priority -110; policy accept;",
        ...noLoopback,
        "iifname . ip daddr vmap @services_from",
        "ip daddr @vips return",
        `${names} return`,
        "iifname @internals return",
        `fib daddr type local ${published} vmap @ports`,
      ],
    ],
    [
      "local",
      [
        "type nat hook output priority -110; policy accept;",
        "ip daddr vmap @services",
        "ip daddr @vips return",
        `${names} return`,
        `fib daddr type local ${published} vmap @ports`,
      ],
    ],
    [
      "postrouting",
      [
        "type nat hook postrouting priority 90; policy accept;",
        // Otherwise a task that reached itself would answer itself directly, with an untranslated reply.
        "snat to ip saddr . ip daddr map @hairpin",
        "ct status dnat fib saddr type local snat to oifname map @gateway_of",
        ...clientRules(plan),
      ],
    ],
    ...returnChains(plan),
    ...wallChains(plan),
    // A container's packet into a tunnel gets the tunnel's source address there; VXLAN frames have the underlay's.
    ["sealed", [`iifname "${tunnelDevice}" ip saddr != ${tunnelRange} accept`, "drop"]],
    [
      "vxlan",
      [
        `ip daddr ${tunnelRange} goto sealed`,
        // Only to the underlay address: a container's packet to another address of this host could pass the walls.
        `ip daddr ${plan.underlay} ip saddr @neighbours @th,96,24 != @vnis_encrypted accept`,
        "@th,96,24 != @vnis accept", // A VXLAN network that is not gam's.
        "drop",
      ],
    ],
    // A packet to a service that gets here found no backend, and must not reach the host instead.
    [
      "input",
      [
        "type filter hook input priority -10; policy accept;",
        `udp dport ${vxlanPort} goto vxlan`,
        ...wallsOfInput(plan),
        "ct status dnat accept", // Also replies to the host's own connections to 127.0.0.1.
        ...noLoopback,
        `${names} accept`,
        // Of TCP only the first packet: a reset to the host itself passes here as well.
        "ip daddr @vips tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset",
        "ip daddr @vips meta l4proto != { tcp, icmp } reject",
        `${published} @published ct state new meta l4proto tcp reject with tcp reset`,
        `${published} @published ct state new reject`,
      ],
    ],
    [
      "output",
      [
        "type filter hook output priority -10; policy accept;",
        // While the tunnel has no route, the packet would leave by the default route, unencrypted.
        `ip daddr ${tunnelRange} udp dport ${vxlanPort} oifname != "${tunnelDevice}" drop`,
        // A redirect would make a container bypass the bridge, where nothing answers for a service address.
        `icmp type redirect oifname ${bridges} drop`,
      ],
    ],
  ];
}
