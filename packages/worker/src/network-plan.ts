/**
 * Network plan: what a network of the cluster is on one node.
 *
 * A network is a bridge of the node's own engine; it does not reach other nodes.
 */
import type { NetworkId } from "@gam/core";
import type { Labels, Network } from "@gam/state";
import { label } from "./label.ts";

export interface NetworkPlan {
  readonly network: NetworkId;
  /** Wanted name. Where something else has it, the engine's network is called otherwise. */
  readonly name: string;
  /** Body of `POST /networks/create` but for its name. */
  readonly body: {
    readonly Driver: "bridge";
    readonly Internal: boolean;
    readonly Labels: Labels;
    readonly IPAM?: { readonly Driver: "default"; readonly Config: readonly Labels[] };
  };
}

export function planNetwork(network: Network, cluster: string): NetworkPlan {
  const configs = network.IPAM.Config.flatMap(({ Subnet, IPRange, Gateway }) =>
    Subnet === undefined
      ? []
      : [{ Subnet, ...(IPRange && { IPRange }), ...(Gateway && { Gateway }) }],
  );
  return {
    network: network.Id,
    name: network.Name,
    body: {
      Driver: "bridge",
      Internal: network.Internal,
      Labels: { ...network.Labels, [label.cluster]: cluster, [label.network]: network.Id },
      ...(configs.length > 0 && { IPAM: { Driver: "default", Config: configs } }),
    },
  };
}
