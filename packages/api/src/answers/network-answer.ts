import type { Network } from "@gam/state";
import type { Naming } from "../request/reference.ts";

export const networkNaming: Naming<Network> = {
  kind: "network",
  id: (network) => network.Id,
  names: (network) => [network.Name],
};

/** Details that only this node knows, or that are sent only on request. */
export interface NetworkDetails {
  /** The containers of this node's engine by id; null if the network is not on this node. */
  readonly Containers?: object | null;
  readonly Peers?: readonly object[];
  readonly Services?: object;
}

/** The Engine API's network, as `GET /networks` shows it. */
export function networkAnswer(network: Network, details: NetworkDetails = {}): object {
  const { Version: _, Gam: __, Labels, Options: ___, ...seen } = network;
  const options = optionsOf(network);
  const { Containers = null, Peers = [], Services } = details;
  return {
    ...seen,
    Containers,
    Options: Object.keys(options).length === 0 ? null : options,
    Labels: Object.keys(Labels).length === 0 ? null : Labels,
    ...(Peers.length > 0 && { Peers }),
    ...(Services && Object.keys(Services).length > 0 && { Services }),
  };
}

/** The option in which Swarm's clients look for the VNI. */
const vniOption = "com.docker.network.driver.overlay.vxlanid_list";

function optionsOf({ Options, Gam }: Network): Readonly<Record<string, string>> {
  return { ...Options, ...(Gam.vni > 0 && { [vniOption]: String(Gam.vni) }) };
}

/** The form in which a task's attachments carry their network. */
export function attachedNetwork(network: Network): object {
  const { Id, Version, Created, Name, Labels, Driver, IPAM, Options } = network;
  const isPlain = Object.keys(Options ?? {}).length === 0;
  // The engine's own networks have no addresses of the cluster.
  const isManaged = IPAM.Driver !== "";
  const plan = isManaged ? { Name: IPAM.Driver } : {};
  const options = optionsOf(network);
  return {
    ID: Id,
    Version,
    CreatedAt: Created,
    UpdatedAt: Created,
    Spec: {
      Name,
      Labels,
      DriverConfiguration: { Name: Driver, ...(!isPlain && { Options }) },
      ...(network.Attachable && { Attachable: true }),
      ...(network.Internal && { Internal: true }),
      ...(network.Ingress && { Ingress: true }),
      ...(network.EnableIPv6 && { IPv6Enabled: true }),
      ...(isManaged && { IPAMOptions: { Driver: plan } }),
      Scope: network.Scope,
    },
    DriverState: {
      Name: Driver,
      ...(Object.keys(options).length > 0 && { Options: options }),
    },
    IPAMOptions: { Driver: plan, ...(IPAM.Config.length > 0 && { Configs: IPAM.Config }) },
  };
}
