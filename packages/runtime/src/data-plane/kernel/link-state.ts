/**
 * Link state: gam's bridges and VXLAN devices in the kernel, as they are or as they are to be.
 *
 * One shape for both, so that applying a plan and mending what somebody broke are the same
 * comparison (link-steps.ts). Knows nothing of tunnels and of packet filters.
 */
import type { NodePlan } from "@gam/network";
import { macOf } from "@gam/state";

export interface BridgeState {
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  /** Bridged frames pass the packet filter. */
  readonly filtered: boolean;
  /** IPv4 with prefix length, the bridge's own first. */
  readonly addresses: ReadonlySet<string>;
  /**
   * Ports of containers, and whether each takes back the frames that it sent (hairpin mode): a task
   * that calls its service and is chosen itself needs that.
   */
  readonly ports: ReadonlyMap<string, boolean>;
}

export interface OverlayState {
  readonly vni: number;
  readonly port: number;
  readonly local: string;
  /** Has what cannot be changed in a device: neither learns nor floods, and answers for neighbours. */
  readonly sound: boolean;
  readonly mtu: number;
  readonly up: boolean;
  /** The bridge it is a port of; "" for none. */
  readonly bridge: string;
  /** The bridge takes no MAC address from frames that come out of it. */
  readonly taught: boolean;
  /** Address to MAC. */
  readonly neighbours: ReadonlyMap<string, string>;
  /** MAC to the nodes that its frames are sent to. More than one is never wanted. */
  readonly routes: ReadonlyMap<string, readonly string[]>;
  /** MACs that the bridge sends to this device. */
  readonly pinned: ReadonlySet<string>;
}

export interface LinkState {
  /** By device name, as are the overlays. */
  readonly bridges: ReadonlyMap<string, BridgeState>;
  readonly overlays: ReadonlyMap<string, OverlayState>;
}

function prefixBitsOf(subnet: string): string {
  return subnet.slice(subnet.indexOf("/") + 1);
}

/** All that the plan wants, also on bridges that the engine has not made yet. */
export function linksOf(plan: NodePlan): LinkState {
  const bridges = new Map<string, BridgeState>();
  const overlays = new Map<string, OverlayState>();
  for (const network of plan.networks) {
    const own = `${network.gateway}/${prefixBitsOf(network.subnet)}`;
    bridges.set(network.bridge, {
      mac: macOf(network.gateway),
      mtu: network.mtu,
      up: true,
      filtered: true,
      addresses: new Set([own, ...network.vips.map((vip) => `${vip}/32`)]),
      ports: new Map(), // Of those nobody knows beforehand.
    });
    const remotes = network.remotes.map(({ address, via }) => ({ mac: macOf(address), via }));
    overlays.set(network.vxlan, {
      vni: network.vni,
      port: plan.vxlanPort,
      local: plan.underlay,
      sound: true,
      mtu: network.mtu,
      up: true,
      bridge: network.bridge,
      taught: true,
      neighbours: new Map(network.remotes.map(({ address }) => [address, macOf(address)])),
      routes: new Map(remotes.map(({ mac, via }) => [mac, [via]])),
      pinned: new Set(remotes.map(({ mac }) => mac)),
    });
  }
  return { bridges, overlays };
}
