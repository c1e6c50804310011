import type { Network } from "@gam/state";
import type { Naming } from "./reference.ts";

export const networkNaming: Naming<Network> = {
  kind: "network",
  id: (network) => network.Id,
  names: (network) => [network.Name],
};

/** The Engine API's network, as `GET /networks` shows it. */
export function networkAnswer(network: Network): object {
  const { Version: _, Gam: __, Labels, ...seen } = network;
  return {
    ...seen,
    Containers: null,
    Labels: Object.keys(Labels).length === 0 ? null : Labels,
  };
}

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
