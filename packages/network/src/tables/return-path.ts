/**
 * Return path: lets a task on another node see the client's own address, and brings its answers back through the
 * node that the client asked.
 *
 * The asked node translates only the destination. On the task's node the packet comes out of the ingress network
 * with the MAC address of the asked node's bridge. That bridge gets a conntrack zone of its own for the
 * direction of the requests. So two nodes may send packets of one client from the same port to the same task: the
 * kernel then changes the port of the second connection. The task answers by its default route, which is its
 * gateway in the ingress network. The answer's destination MAC address is replaced by that of the asked node's
 * bridge, so the frame goes there and never reaches the IP routes of the task's node. Hence the client may even
 * have an address of that node.
 *
 * A zone has 16 bits. A bridge whose place in the subnet is beyond them has no zone; its node translates the
 * client's address into its own.
 *
 * Source: nft(8) 1.0.6, "CT STATEMENT"; directional zones in net/netfilter/nf_conntrack_core.c and nf_nat_core.c.
 */
import { macOf } from "@gam/state";
import type { NetworkPlane, NodePlan } from "../plan/node-plan.ts";
import { numberOf, spanOf } from "../plan/subnet.ts";
import { type ElementSet, mapOf, quoted } from "./nft-table.ts";
import { briefly } from "./service-rules.ts";

const zoneMax = 65_535;

export function returnSets(plan: NodePlan): [string, ElementSet][] {
  const ingress = ingressOf(plan);
  const askers = (ingress?.bridges ?? []).flatMap((address): [string, string][] => {
    const zone = ingress && zoneOf(address, ingress);
    return zone === undefined ? [] : [[`${zone}`, macOf(address)]];
  });
  return [
    [
      "zone_of_asked",
      mapOf(
        "typeof ether saddr : ct zone",
        askers.map(([zone, mac]) => [mac, zone]),
      ),
    ],
    ["asked_by_zone", mapOf("typeof ct original zone : ether daddr", askers)],
  ];
}

export function returnChains(plan: NodePlan): [string, string[]][] {
  const ingress = ingressOf(plan);
  if (ingress === undefined) return [];
  const from = `iifname ${quoted(ingress.bridge)}`;
  const outside = `ip saddr != ${ingress.subnet}`;
  return [
    // Before conntrack.
    [
      "asked",
      [
        "type filter hook prerouting priority -300; policy accept;",
        `${from} ${outside} ct original zone set ether saddr map @zone_of_asked`,
      ],
    ],
    // After conntrack.
    [
      "answers",
      [
        "type filter hook prerouting priority -150; policy accept;",
        `ct direction reply ${from} ether daddr set ct original zone map @asked_by_zone`,
        `ct state new meta l4proto tcp ${from} ${outside} ${briefly}`,
      ],
    ],
  ];
}

/** Rules of a nat chain in postrouting: whose address a task does not see. */
export function clientRules(plan: NodePlan): string[] {
  const ingress = ingressOf(plan);
  if (ingress === undefined) return [];
  const { bridge, subnet, gateway, locals } = ingress;
  const translated = `oifname ${quoted(bridge)} ct status dnat`;
  // A container of the same network would get the answer directly, with an untranslated source.
  const rules = [`${translated} ip saddr ${subnet} snat to ${gateway}`];
  if (zoneOf(gateway, ingress) !== undefined) return rules;
  const here = locals.length === 0 ? "" : `ip daddr != { ${locals.join(", ")} } `;
  return [...rules, `${translated} ${here}snat to ${gateway}`];
}

function ingressOf({ networks }: NodePlan): NetworkPlane | undefined {
  return networks.find(({ ingress }) => ingress);
}

/** The conntrack zone of a node's bridge: its place in the subnet. */
function zoneOf(address: string, { subnet }: NetworkPlane): number | undefined {
  const place = (numberOf(address) ?? 0) - (spanOf(subnet)?.first ?? 0);
  return place > 0 && place <= zoneMax ? place : undefined;
}
