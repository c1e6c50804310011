/**
 * Breakages: commands that damage a data plane with gam's networks 5 and 6. For tests.
 */
import { macOf } from "@gam/state";

/** What is broken, and how. */
export const breakages: readonly (readonly [string, readonly string[]])[] = [
  ["a deleted VXLAN device", ["ip link del gamx-5"]],
  [
    "a VXLAN device of another kind",
    ["ip link del gamx-5", "ip link add gamx-5 type vxlan id 99 dstport 4789"],
  ],
  ["a VXLAN device that is down", ["ip link set gamx-5 down"]],
  ["a VXLAN device off its bridge", ["ip link set gamx-5 nomaster"]],
  ["a bridge without its addresses", ["ip addr flush dev gam-5"]],
  ["a bridge that is down", ["ip link set gam-6 down"]],
  ["a deleted bridge", ["ip link del gam-5"]],
  ["a bridge of another MAC and MTU", ["ip link set gam-5 address 02:00:00:00:00:01 mtu 1400"]],
  ["a bridge past the filter", ["ip link set gam-5 type bridge nf_call_iptables 0"]],
  ["a service address gone", ["ip addr del 10.0.6.9/32 dev gam-6"]],
  ["an address too many", ["ip addr add 10.0.5.77/32 dev gam-5"]],
  ["flushed neighbours", ["ip neigh flush dev gamx-5 nud permanent"]],
  [
    "a wrong neighbour",
    ["ip neigh replace 10.0.5.11 lladdr 02:00:00:00:00:01 dev gamx-5 nud permanent"],
  ],
  [
    "a neighbour too many",
    ["ip neigh add 10.0.5.99 lladdr 02:00:00:00:00:01 dev gamx-5 nud permanent"],
  ],
  [
    "a flood entry",
    ["bridge fdb append 00:00:00:00:00:00 dev gamx-5 dst 192.0.2.66 self permanent"],
  ],
  [
    "a route to elsewhere",
    [`bridge fdb replace ${macOf("10.0.5.11")} dev gamx-5 dst 192.0.2.66 self permanent`],
  ],
  [
    "two flood entries",
    ["192.0.2.66", "192.0.2.67"].map(
      (via) => `bridge fdb append 00:00:00:00:00:00 dev gamx-5 dst ${via} self permanent`,
    ),
  ],
  ["a route gone", [`bridge fdb del ${macOf("10.0.5.11")} dev gamx-5 dst 192.0.2.1 self`]],
  ["a port entry gone", [`bridge fdb del ${macOf("10.0.5.11")} dev gamx-5 master`]],
  ["a flushed table", ["nft flush table ip gam"]],
  ["a deleted table", ["nft delete table ip gam"]],
  [
    "somebody else's things in the table",
    [
      "nft add chain ip gam theirs",
      "nft add counter ip gam theirs",
      "nft add map ip gam theirs { type ipv4_addr : verdict; elements = { 192.0.2.9 : goto theirs }; }",
      "nft add ct timeout ip gam theirs { protocol udp; policy = { unreplied : 9 }; }",
    ],
  ],
  ["walls that are down", ["nft flush chain ip gam walls"]],
  ["a deleted table of IPv6", ["nft delete table ip6 gam"]],
  ["walls of IPv6 that are down", ["nft flush chain ip6 gam walls"]],
  ["a table that is not heeded", ["nft add table ip gam { flags dormant; }"]],
  ["a chain that drops", ["nft chain ip gam input { policy drop; }"]],
  [
    "a chain of another hook",
    [
      "nft delete chain ip gam output",
      "nft add chain ip gam output { type filter hook input priority 0; }",
    ],
  ],
  [
    "a set of another type",
    [
      "nft flush chain ip gam vxlan",
      "nft delete set ip gam neighbours",
      "nft add set ip gam neighbours { type ifname; }",
    ],
  ],
  [
    "a map where a set was",
    [
      "nft flush chain ip gam vxlan",
      "nft delete set ip gam neighbours",
      "nft add map ip gam neighbours { type ipv4_addr : verdict; elements = { 192.0.2.9 : accept }; }",
    ],
  ],
  ["a flushed ruleset", ["nft flush ruleset"]],
  ["an element gone", ["nft delete element ip gam vips { 10.0.5.9 }"]],
  ["a rule too many", ["nft add rule ip gam service_s5 drop"]],
  ["the rules of iptables gone", ["iptables -F FORWARD"]],
  [
    "a rule of iptables twice",
    [
      "iptables -A FORWARD -o gam-6 -m conntrack --ctstate DNAT --ctdir ORIGINAL -m comment --comment gam -j ACCEPT",
    ],
  ],
  ["the setting of a bridge", ["sysctl -qw net.ipv4.conf.gam-5.rp_filter=1"]],
];
