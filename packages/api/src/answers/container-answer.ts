/**
 * Container answer: a container as an engine shows it, but in the cluster's networks.
 *
 * On each node a network of the cluster is a bridge of the engine, with a name and an id that mean nothing
 * elsewhere. Clients get the cluster's name and id. An endpoint is in the bridge if it has an address of the network
 * and the node's own gateway; without a gateway (a stopped container), if the bridge's name is the planned one.
 */
import type { NodeId } from "@gam/core";
import { engineNetworkName, isInside, isRange, type Network } from "@gam/state";
import { type Fields, fieldsOf, textOf } from "../request/fields.ts";

export interface ContainerPlace {
  /** The cluster's networks. */
  readonly networks: readonly Network[];
  /** The node whose engine has the container. */
  readonly node: NodeId;
}

/** Returns: an entry of the engine's list, or its answer to an inspection, in the cluster's networks. */
export function containerAnswer(container: Fields, around: ContainerPlace): Fields {
  const settings = fieldsOf(container.NetworkSettings);
  const endpoints = Object.entries(fieldsOf(settings.Networks));
  const known = new Map(
    endpoints.flatMap(([name, endpoint]): [string, Network][] => {
      const network = networkOf(name, fieldsOf(endpoint), around);
      return network === undefined ? [] : [[name, network]];
    }),
  );
  if (known.size === 0) return container;
  const Networks = Object.fromEntries(
    endpoints.map(([name, endpoint]) => {
      const network = known.get(name);
      return network === undefined
        ? [name, endpoint]
        : [network.Name, { ...fieldsOf(endpoint), NetworkID: network.Id }];
    }),
  );
  const host = fieldsOf(container.HostConfig);
  const mode = textOf(host.NetworkMode);
  const [named] = endpoints.find(([name, one]) => isNamed(mode, name, fieldsOf(one))) ?? [];
  const inMode = known.get(named ?? "");
  return {
    ...container,
    ...(inMode && { HostConfig: { ...host, NetworkMode: inMode.Name } }),
    NetworkSettings: { ...settings, Networks },
  };
}

/** The engine's network modes are names or ids. */
function isNamed(mode: string, name: string, { NetworkID }: Fields): boolean {
  return mode !== "" && (mode === name || mode === NetworkID);
}

function networkOf(
  name: string,
  { IPAddress, IPAMConfig, Gateway }: Fields,
  { networks, node }: ContainerPlace,
): Network | undefined {
  const address = textOf(fieldsOf(IPAMConfig).IPv4Address) || textOf(IPAddress);
  const gateway = textOf(Gateway);
  return networks.find((network) => {
    const { IPAM, Gam } = network;
    const subnet = IPAM.Config[0]?.Subnet ?? "";
    const own = Gam.gateways[node];
    if (own === undefined || !isRange(subnet) || !isInside(address, subnet)) return false;
    return gateway === "" ? name === engineNetworkName(network) : gateway === own;
  });
}
