/**
 * Segment: one network of a node, and who is in it anywhere. What the plans of a node are made from.
 */
import type { NetworkId, NodeId, ServiceId } from "@gam/core";
import {
  type Attachment,
  ingressPorts,
  isTerminal,
  isWanted,
  type Network,
  type NetworkTarget,
  type Node,
  type Service,
  type Task,
  type View,
} from "@gam/state";

/** A task's or a plain container's place in a network. */
export interface Place {
  readonly address: string;
  readonly node: Node;
  readonly holder:
    | { readonly kind: "task"; readonly task: Task }
    | { readonly kind: "container"; readonly attachment: Attachment };
}

/** A task that serves, in one network. */
export interface Server {
  readonly address: string;
  readonly node: Node;
  readonly task: Task;
}

/** A network of this node, and who is in it anywhere. */
export interface Segment {
  readonly network: Network;
  readonly subnet: string;
  readonly gateway: string;
  /** Sorted by address. */
  readonly places: readonly Place[];
  /** Sorted by name. */
  readonly services: readonly Service[];
  /** Those of each service, sorted by address. */
  readonly servers: ReadonlyMap<ServiceId, readonly Server[]>;
}

/** The networks that the node has a bridge of, by their ids. */
export function segmentsOf(view: View, self: NodeId): Segment[] {
  const networks = view.networks().filter((network) => isUsable(network, self));
  const places = new Map<NetworkId, Place[]>(networks.map(({ Id }) => [Id, []]));
  if (networks.length === 0) return [];
  for (const task of view.tasks()) {
    if (task.NodeID === undefined || isTerminal(task.Status.State)) continue;
    const node = view.node(task.NodeID);
    if (node === undefined) continue;
    const holder = { kind: "task", task } as const;
    for (const { network, address } of task.Gam.attachments) {
      places.get(network)?.push({ address, node, holder });
    }
  }
  for (const { Id, Gam } of networks) {
    for (const attachment of Object.values(Gam.attachments)) {
      const node = view.node(attachment.node);
      if (node === undefined || attachment.address === "") continue;
      const holder = { kind: "container", attachment } as const;
      places.get(Id)?.push({ address: attachment.address, node, holder });
    }
  }
  const services = servicesByNetwork(view, networks);
  return sorted(networks, ({ Id }) => Id).map((network) => {
    const inside = sorted(places.get(network.Id) ?? [], ({ address }) => address);
    return {
      network,
      subnet: network.IPAM.Config[0]?.Subnet ?? "",
      gateway: network.Gam.gateways[self] ?? "",
      places: inside,
      services: services.get(network.Id) ?? [],
      servers: serversOf(inside),
    };
  });
}

function serversOf(places: readonly Place[]): Map<ServiceId, readonly Server[]> {
  const servers = new Map<ServiceId, Server[]>();
  for (const { address, node, holder } of places) {
    if (holder.kind !== "task" || !serves(holder.task, node)) continue;
    const { task } = holder;
    const known = servers.get(task.ServiceID) ?? [];
    known.push({ address, node, task });
    servers.set(task.ServiceID, known);
  }
  return servers;
}

function serves(task: Task, node: Node): boolean {
  return task.Status.State === "running" && isWanted(task) && node.Status.State !== "down";
}

function isUsable({ Gam, IPAM }: Network, self: NodeId): boolean {
  return Gam.vni !== 0 && Gam.gateways[self] !== undefined && IPAM.Config[0]?.Subnet !== undefined;
}

/** Sorted by name. A service is in the networks that its spec names, and in the ingress by its ports. */
function servicesByNetwork(
  view: View,
  networks: readonly Network[],
): ReadonlyMap<string, readonly Service[]> {
  const ingress = networks.find(({ Ingress }) => Ingress);
  const found = new Map<string, Service[]>(networks.map(({ Id }) => [Id, []]));
  for (const service of sorted(view.services(), ({ Spec }) => Spec.Name)) {
    const ids = new Set(targetsOf(service).map(({ Target }) => Target));
    if (ingress !== undefined && ingressPorts(service.Endpoint).length > 0) ids.add(ingress.Id);
    for (const id of ids) found.get(id)?.push(service);
  }
  return found;
}

/** The networks that a service's spec names, by their ids, wherever its client has put them. */
export function targetsOf({ Spec }: Service): readonly NetworkTarget[] {
  return Spec.TaskTemplate.Networks ?? Spec.Networks ?? [];
}

/** The service's address in a network, IPv4 without prefix; none with `dnsrr`. */
export function vipOf({ Spec, Endpoint }: Service, network: NetworkId): string | undefined {
  if (Spec.EndpointSpec?.Mode === "dnsrr") return undefined;
  const address = Endpoint.VirtualIPs?.find(({ NetworkID }) => NetworkID === network)?.Addr;
  return address?.split("/")[0] || undefined;
}

/** By text, not by what it means: all that counts is that every peer does the same. */
export function sorted<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return keyed.map(({ item }) => item);
}
