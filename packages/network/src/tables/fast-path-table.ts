/**
 * Fast path table: TCP from and to this node's containers goes from device to device, past the bridge.
 *
 * Where a Docker engine runs, frames in bridges are tracked and go through all of the host's rules. TCP
 * within one network needs neither, once service addresses are translated inside of the containers. So what
 * a container sends to an address on another node is handed to the VXLAN device, and what comes out of
 * that, or from a container beside, to the container that it is for, before anybody else sees it. Everything
 * else takes the bridge, and the bridge could take it all: this table can be empty at any time.
 *
 * Who goes on talking to an address that has left the network is told at once that the connection is over. An
 * address that is only not known, or not yet, is the business of the bridge.
 *
 * It is believed for as long as its lease lasts, which the kernel ends by itself. So what stands here of
 * containers that have gone is forgotten soon when nobody keeps it any more.
 *
 * A container that sends to a service address after all, past its own rules, is translated by the host; the
 * answers must come by the bridge then. The kernel notes the container for an hour.
 *
 * Source: nft(8) 1.0.6, "NETDEV ADDRESS FAMILY" and "FWD STATEMENT".
 */
import type { NetworkId } from "@gam/core";
import type { NetworkPlane, NodePlan } from "../plan/node-plan.ts";
import type { DeviceName, Ip4 } from "../plan/safe-values.ts";
import { type ElementSet, mapOf, type NftTable, setOf, tableName } from "./nft-table.ts";

/** A container whose service addresses are translated inside of it, in one network. */
export interface FastPlace {
  readonly network: NetworkId;
  readonly address: Ip4;
  /** Name of the host's end of its link. */
  readonly device: DeviceName;
}

const leaseSeconds = 30;
const slowly = "1h";
/** A client that is told nothing gives up by then. Source: tcp(7), tcp_retries2. */
const goneFor = "15m";
const lease = `element netdev ${tableName} lease { tcp`;

/** Ends the lease of the table, and gives it a new one: a transaction for a table that has one. */
export const renewedLease = `delete ${lease} }\nadd ${lease} timeout ${leaseSeconds}s }\n`;
/** The first. */
export const newLease = `add ${lease} timeout ${leaseSeconds}s }\n`;

/** Who goes on talking to these, which nobody has any more, is told so. */
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
  { vni, vxlan }: NetworkPlane,
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
    [`in_${vni}`, [onLease, ...toLocals]],
    [`overlay_${vni}`, [hook(vxlan), `goto in_${vni}`]],
    ...places.map(({ device }): [string, string[]] => [
      `port_${device}`,
      [hook(device), `goto out_${vni}`],
    ]),
  ];
}
