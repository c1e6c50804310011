/**
 * Fast path table: sends TCP from and to this node's containers from device to device, past the bridge.
 *
 * With a Docker engine, frames in bridges are tracked and pass all of the host's rules. TCP within one network
 * needs neither, once service addresses are translated inside of the containers. So a frame from a container to
 * an address on another node goes straight to the VXLAN device. A frame from that device, or from another
 * container on this node, goes straight to its container. Everything else takes the bridge. The bridge could
 * carry all of it, so this table may be empty at any time.
 *
 * A connection to an address that has left the network gets a reset at once. Packets to an unknown address take the
 * bridge.
 *
 * The rules apply only while the lease lasts, and the kernel ends the lease by itself. So entries of containers
 * that have gone soon have no effect when no agent maintains the table.
 *
 * When a container sends to a service address in spite of its own rules, the host translates it, and the replies
 * must come through the bridge. So the kernel keeps that container off the fast path for an hour (set `slow`).
 *
 * Source: nft(8) 1.0.6, "NETDEV ADDRESS FAMILY" and "FWD STATEMENT".
 */
import type { NetworkId } from "@gam/core";
import type { NetworkPlane, NodePlan } from "../plan/node-plan.ts";
import type { DeviceName, Ip4 } from "../plan/safe-values.ts";
import { type ElementSet, mapOf, type NftTable, setOf, tableName } from "./nft-table.ts";

/** A container that translates service addresses itself, in one network. */
export interface FastPlace {
  readonly network: NetworkId;
  readonly address: Ip4;
  /** Name of the host's end of its link. */
  readonly device: DeviceName;
}

const leaseSeconds = 30;
const slowly = "1h";
/** A client without any answer gives up by then. Source: tcp(7), tcp_retries2. */
const goneFor = "15m";
const lease = `element netdev ${tableName} lease { tcp`;

/** A transaction that renews the lease. It fails when the lease has ended. */
export const renewedLease = `delete ${lease} }\nadd ${lease} timeout ${leaseSeconds}s }\n`;
/** A transaction that starts a lease. */
export const newLease = `add ${lease} timeout ${leaseSeconds}s }\n`;

/** A transaction that makes packets to these addresses get a reset. */
export function goneAddresses(addresses: readonly Ip4[]): string {
  const list = addresses.map((address) => `${address} timeout ${goneFor}`).join(", ");
  return `add element netdev ${tableName} gone { ${list} }\n`;
}

const lasting = new Map<string, readonly string[]>([
  ["set lease", ["type inet_proto", "flags timeout"]],
  ["set gone", ["type ipv4_addr", "flags timeout"]],
  ["set slow", ["type ipv4_addr", "size 65535", "flags dynamic,timeout"]],
]);

export function fastPathTable(plan: NodePlan, places: readonly FastPlace[]): NftTable {
  const sets: [string, ElementSet][] = [];
  const chains: [string, string[]][] = [];
  for (const network of plan.networks) {
    const own = places.filter((place) => place.network === network.id);
    if (own.length === 0) continue;
    sets.push(...setsOf(network, plan, own));
    chains.push(...chainsOf(network, own));
  }
  return { family: "netdev", lasting, sets: new Map(sets), chains: new Map(chains) };
}

function setsOf(
  { id, vni, gateway, vips, locals, remotes }: NetworkPlane,
  { services }: NodePlan,
  places: readonly FastPlace[],
): [string, ElementSet][] {
  const served = services.filter(({ network, backends }) => network === id && backends.length > 0);
  return [
    [
      `locals_${vni}`,
      mapOf(
        "type ipv4_addr : iface_index",
        places.map(({ address, device }) => [address, `"${device}"`]),
      ),
    ],
    [
      `remotes_${vni}`,
      setOf(
        "type ipv4_addr",
        remotes.map(({ address }) => address),
      ),
    ],
    [`here_${vni}`, setOf("type ipv4_addr", [...new Set([gateway, ...vips, ...locals])])],
    [
      `vips_${vni}`,
      setOf(
        "type ipv4_addr",
        served.map(({ vip }) => vip),
      ),
    ],
  ];
}

function chainsOf(
  { vni, vxlan, ingress, subnet }: NetworkPlane,
  places: readonly FastPlace[],
): [string, string[]][] {
  const hook = (device: string): string =>
    `type filter hook ingress device "${device}" priority -10; policy accept;`;
  const toLocals = ["ip daddr @slow accept", `fwd to ip daddr map @locals_${vni}`];
  const onLease = "ip protocol != @lease accept";
  return [
    [
      `out_${vni}`,
      [
        onLease,
        `ip daddr @vips_${vni} update @slow { ip saddr timeout ${slowly} } accept`,
        "ip saddr @slow accept",
        `ip daddr @remotes_${vni} fwd to "${vxlan}"`,
        `ip daddr @gone ip daddr != @here_${vni} tcp flags & syn == 0 reject with tcp reset`,
        ...toLocals,
      ],
    ],
    // A client from outside: the host tracks the connection and sends the answers back to the asked node.
    [`in_${vni}`, [onLease, ...(ingress ? [`ip saddr != ${subnet} accept`] : []), ...toLocals]],
    [`overlay_${vni}`, [hook(vxlan), `goto in_${vni}`]],
    ...places.map(({ device }): [string, string[]] => [
      `port_${device}`,
      [hook(device), `goto out_${vni}`],
    ]),
  ];
}
