/**
 * Link state: describes gam's bridges and VXLAN devices, as the kernel has them or as the plan wants them.
 *
 * One shape for both, so that applying a plan and repairing damage are the same comparison (link-steps.ts). Does
 * not cover tunnels or packet filters.
 */
import type { NodePlan } from "@gam/network";
import { macOf } from "@gam/state";

export interface BridgeState {
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  /** The packet filter sees bridged frames. */
  readonly filtered: boolean;
  /** IPv4 with prefix length, the bridge's own first. */
  readonly addresses: ReadonlySet<string>;
  /**
   * Ports of containers, and whether each may receive frames that it sent itself (hairpin mode). A task that
   * connects to its own service and is chosen as the backend needs that.
   */
  readonly ports: ReadonlyMap<string, boolean>;
}

export interface OverlayState {
  readonly vni: number;
  readonly port: number;
  readonly local: string;
  /** Has the settings that only creation sets: neither learns nor floods, and answers for neighbours. */
  readonly sound: boolean;
  readonly mtu: number;
  readonly up: boolean;
  /** The bridge that it is a port of; "" for none. */
  readonly bridge: string;
  /** The bridge does not learn MAC addresses from this port. */
  readonly taught: boolean;
  /** Address to MAC. */
  readonly neighbours: ReadonlyMap<string, string>;
  /** MAC to the nodes that its frames are sent to. A plan never has more than one. */
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

/** All links that the plan wants, also on bridges that the engine has not created yet. */
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
      ports: new Map(), // Only the kernel knows the containers' ports; see withPorts().
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
