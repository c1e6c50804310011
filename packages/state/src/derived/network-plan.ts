/**
 * Network plan: the engine's part of a network of the cluster on one node.
 *
 * It is a bridge with the subnet that the network has everywhere and a gateway of this node's own. The
 * engine may give away no address itself, because other nodes would not know of it: its range is the
 * gateway alone, so that it refuses whoever does not come with an address.
 */
import type { NetworkId } from "@gam/core";
import { label } from "../objects/label.ts";
import type { Labels } from "../objects/meta.ts";
import type { Network } from "../objects/network.ts";
import type { Node } from "../objects/node.ts";
import { demandsEncryption } from "../specs/network-spec.ts";

export interface NetworkPlan {
  readonly network: NetworkId;
  /** Wanted name. Where something else has it, the engine's network is called otherwise. */
  readonly name: string;
  /** IPv4 without prefix: the bridge's address. */
  readonly gateway: string;
  /** Body of `POST /networks/create` but for its name. */
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
/** WireGuard's, over IPv6 at worst. */
export const tunnelBytes = 80;
const mtuDefault = 1500;
/** Of IPv4. */
const mtuMin = 68;

/**
 * A container's default route goes by the network whose name comes first. With this one answers to
 * clients outside leave by the address that they asked, which a UDP server does not see to itself.
 */
const ingressName = "0.ingress";

/** `undefined` while this node has no part of the network. */
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
    name: network.Ingress ? ingressName : network.Name,
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

/** Device names have 15 characters at most, and VNIs 8 digits. */
export function bridgeName({ Gam }: Network): string {
  return `gam-${Gam.vni}`;
}

/** Where the kernel encrypts it costs little, and otherwise it is for networks that have `demanded` it. */
export function mayTunnel({ Gam }: Node, demanded: boolean): boolean {
  const encryption = Gam.network?.encryption ?? "none";
  return encryption === "kernel" || (demanded && encryption !== "none");
}

/** Bytes that a container of this node may put into one packet. A wish that no device takes is none. */
export function mtuOf(network: Network, node: Node): number {
  const text = network.Options?.["com.docker.network.driver.mtu"] ?? "";
  const wish = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  const tunnel = mayTunnel(node, demandsEncryption(network)) ? tunnelBytes : 0;
  const room = (node.Gam.network?.mtu ?? mtuDefault) - vxlanBytes - tunnel;
  return wish >= mtuMin ? Math.min(wish, room) : room;
}
