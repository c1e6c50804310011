/**
 * Host table: what of a node's plan is the part of the host's packet filter.
 *
 * Decides which packets get which address, and which of those that must not reach the host are refused.
 * Cannot decide that a packet is forwarded, because what another table drops is dropped: the runtime keeps
 * rules of its own among Docker's for that.
 *
 * Base chains and sets are always the same; only elements, and chains of services and ports, come and
 * go. So a packet is looked up in sets whose cost does not grow, and a change is a few lines.
 *
 * Source: nft(8) 1.0.6; the order of hooks in "Netfilter hooks", wiki.nftables.org.
 */
import { tunnelRange } from "@gam/state";
import type { NodePlan, PortPlane } from "../plan/node-plan.ts";
import { type ElementSet, mapOf, type NftTable, quoted, setOf } from "./nft-table.ts";
import { briefly, briefPolicy, chainOfService, serviceChain, targetsOf } from "./service-rules.ts";
import { tunnelDevice, wallChains, wallSets, wallsOfInput } from "./walls.ts";

const bridges = '"gam-*"';
/** A plan that comes after is compared with one that was a table already. */
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
  const open = ports.filter((port) => backendsOf(port).length > 0);
  const vni = "typeof @th,96,24";
  return new Map([
    ...wallSets(plan),
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
      "ingress_locals",
      setOf(
        "type ipv4_addr",
        networks.flatMap((one) => (one.ingress ? one.locals : [])),
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

function backendsOf({ local, remote }: PortPlane): readonly string[] {
  return local.length > 0 ? local : remote;
}

function chainOfPort(port: PortPlane): [string, string[]][] {
  const backends = backendsOf(port);
  if (backends.length === 0) return [];
  const before = `meta l4proto ${port.protocol} ${briefly}`;
  const rules = targetsOf(backends, port.affinity).map(
    (target) => `${before} dnat to ${target} : ${port.target}`,
  );
  return [[portChain(port), rules]];
}

/** Names of devices are compared last in each rule: of all that is looked at they cost most. */
function baseChains(plan: NodePlan): [string, string[]][] {
  const { networks, vxlanPort } = plan;
  const ingress = networks.find((network) => network.ingress);
  const names = "ip daddr @gateways meta l4proto { tcp, udp } th dport 53";
  const published = "meta l4proto . th dport";
  // route_localnet lets the host call its own published ports at 127.0.0.1. Nobody else may.
  const noLoopback = ["daddr", "saddr"].map((end) => {
    return `ip ${end} 127.0.0.0/8 iifname ${bridges} drop`;
  });
  return [
    // Before Docker's own, which sees a connection only when it is none of ours. Packets of a connection
    // that stands do not come by here: what can be refused here costs them nothing.
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
        // A task that reached itself would answer itself, past us.
        "snat to ip saddr . ip daddr map @hairpin",
        "ct status dnat fib saddr type local snat to oifname map @gateway_of",
        ...(ingress === undefined
          ? []
          : [
              // Its answer comes back to this node only if it is this node that asked.
              `oifname "${ingress.bridge}" ct status dnat ip daddr != @ingress_locals snat to ${ingress.gateway}`,
            ]),
      ],
    ],
    ...wallChains(plan),
    // What a container sends into a tunnel gets the tunnel's address there; frames have the underlay's.
    ["sealed", [`iifname "${tunnelDevice}" ip saddr != ${tunnelRange} accept`, "drop"]],
    [
      "vxlan",
      [
        `ip daddr ${tunnelRange} goto sealed`,
        // To another address of this host a container's packet gets past the walls of its own.
        `ip daddr ${plan.underlay} ip saddr @neighbours @th,96,24 != @vnis_encrypted accept`,
        "@th,96,24 != @vnis accept", // Somebody else's.
        "drop",
      ],
    ],
    // What gets here though it is for a service found no task, and must not find the host instead.
    [
      "input",
      [
        "type filter hook input priority -10; policy accept;",
        `udp dport ${vxlanPort} goto vxlan`,
        ...wallsOfInput(plan),
        "ct status dnat accept", // Answers to the host's own calls at 127.0.0.1 among them.
        ...noLoopback,
        `${names} accept`,
        // Of TCP the first packet only: a reset that goes to the host itself comes by here as well.
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
        // Without the tunnel's own route it would leave by the default one, in the clear.
        `ip daddr ${tunnelRange} udp dport ${vxlanPort} oifname != "${tunnelDevice}" drop`,
        // Would tell a container to go past the bridge, where nobody answers for a service address.
        `icmp type redirect oifname ${bridges} drop`,
      ],
    ],
  ];
}
