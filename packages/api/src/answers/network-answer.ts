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
  const { Version: _, Gam, Labels, Options, ...seen } = network;
  const options = { ...Options, ...(Gam.vni > 0 && { [vniOption]: String(Gam.vni) }) };
  const { Containers = null, Peers = [], Services } = details;
  return {
    ...seen,
    Containers,
    Options: Object.keys(options).length === 0 ? null : options,
    Labels: Object.keys(Labels).length === 0 ? null : Labels,
    ...(Peers.length > 0 && { Peers }),
    ...(Services && { Services }),
  };
}

/** The option in which Swarm's clients look for the VNI. */
const vniOption = "com.docker.network.driver.overlay.vxlanid_list";

/** The form in which a task's attachments carry their network. */
export function attachedNetwork(network: Network): object {
  const { Id, Version, Created, Name, Labels, Driver, IPAM, Options } = network;
  const plan = IPAM.Driver === "" ? {} : { Name: IPAM.Driver };
  return {
    ID: Id,
    Version,
    CreatedAt: Created,
    UpdatedAt: Created,
    Spec: {
      Name,
      Labels,
      DriverConfiguration: { Name: Driver },
      ...(network.Attachable && { Attachable: true }),
      ...(network.Internal && { Internal: true }),
      ...(network.Ingress && { Ingress: true }),
      ...(network.EnableIPv6 && { IPv6Enabled: true }),
      IPAMOptions: { Driver: plan },
      Scope: network.Scope,
    },
    DriverState: { Name: Driver, ...(Options && { Options }) },
    IPAMOptions: { Driver: plan, ...(IPAM.Config.length > 0 && { Configs: IPAM.Config }) },
  };
}
