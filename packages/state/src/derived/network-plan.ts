/**
 * Network plan: the engine's part of a network of the cluster on one node.
 *
 * It is a bridge with the subnet that the network has everywhere and a gateway of this node's own. The engine
 * must not assign addresses itself, because other nodes would not know of them. So its range holds the gateway
 * alone, and it refuses a container that does not bring its own address.
 */
import type { NetworkId } from "@gam/core";
import { label } from "../objects/label.ts";
import type { Labels } from "../objects/meta.ts";
import type { Network } from "../objects/network.ts";
import type { Node } from "../objects/node.ts";
import { demandsEncryption } from "../specs/network-spec.ts";

export interface NetworkPlan {
  readonly network: NetworkId;
  /** Wanted name. If another network of the engine has it, this one gets a different name. */
  readonly name: string;
  /** IPv4 without prefix: the bridge's address. */
  readonly gateway: string;
  /** Body of `POST /networks/create` without the name. */
  readonly body: {
    readonly Driver: "bridge";
    readonly Internal: boolean;
    readonly Labels: Labels;
    readonly IPAM: { readonly Driver: "default"; readonly Config: readonly Labels[] };
    readonly Options: Labels;
  };
}

/** VXLAN's headers over IPv4. */
const vxlanBytes = 50;
/** WireGuard's headers, over IPv6 in the worst case. */
export const tunnelBytes = 80;
const mtuDefault = 1500;
/** The smallest MTU of IPv4. */
const mtuMin = 68;

/**
 * A container's default route uses the network whose name sorts first. With this name, answers to outside
 * clients leave from the address that the client asked, which a UDP server does not ensure itself.
 */
const ingressName = "0.ingress";

/** Returns: the planned name of the engine's network for this one, on every node. */
export function engineNetworkName({ Ingress, Name }: Pick<Network, "Ingress" | "Name">): string {
  return Ingress ? ingressName : Name;
}

/** Returns: undefined while this node has no part in the network. */
export function planNetwork(
  network: Network,
  node: Node,
  cluster: string,
): NetworkPlan | undefined {
  const gateway = network.Gam.gateways[node.ID];
  const Subnet = network.IPAM.Config[0]?.Subnet;
  if (gateway === undefined || Subnet === undefined) return undefined;
  return {
    network: network.Id,
    name: engineNetworkName(network),
    gateway,
    body: {
      Driver: "bridge",
      Internal: network.Internal,
      Labels: { ...network.Labels, [label.cluster]: cluster, [label.network]: network.Id },
      IPAM: {
        Driver: "default",
        Config: [{ Subnet, Gateway: gateway, IPRange: `${gateway}/32` }],
      },
      Options: {
        "com.docker.network.bridge.name": bridgeName(network),
        "com.docker.network.driver.mtu": String(mtuOf(network, node)),
      },
    },
  };
}

/** Device names have at most 15 characters, and VNIs at most 8 digits. */
export function bridgeName({ Gam }: Network): string {
  return `gam-${Gam.vni}`;
}

/**
 * Encryption in the kernel is cheap, so it is always on. Otherwise only networks that have `demanded` it get
 * it.
 */
export function mayTunnel({ Gam }: Node, demanded: boolean): boolean {
  const encryption = Gam.network?.encryption ?? "none";
  return encryption === "kernel" || (demanded && encryption !== "none");
}

/**
 * Returns: the size of the largest packet of a container on this node, in bytes. Ignores an option that no
 *         device takes.
 */
export function mtuOf(network: Network, node: Node): number {
  const text = network.Options?.["com.docker.network.driver.mtu"] ?? "";
  const wish = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  const tunnel = mayTunnel(node, demandsEncryption(network)) ? tunnelBytes : 0;
  const room = (node.Gam.network?.mtu ?? mtuDefault) - vxlanBytes - tunnel;
  return wish >= mtuMin ? Math.min(wish, room) : room;
}
