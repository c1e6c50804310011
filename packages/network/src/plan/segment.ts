/**
 * Segment: one network of a node with all its endpoints on any node. The parts of a node plan are made from it.
 *
 * Leaves out what cannot be planned: a network without an IPv4 subnet, an address outside of its network's subnet.
 */
import type { NetworkId, NodeId, ServiceId } from "@gam/core";
import {
  type Attachment,
  httpPort,
  isTerminal,
  isWanted,
  type Network,
  type NetworkTarget,
  type Node,
  needsIngress,
  type Service,
  type Task,
  type View,
} from "@gam/state";
import { type Oddities, shown } from "./oddities.ts";
import { type Ip4, ip4, type Range4, range4, type Vni, vni } from "./safe-values.ts";
import { isIn, numberOf, type Span, spanOf } from "./subnet.ts";

/** A task's or a plain container's endpoint in a network. */
export interface SegmentEndpoint {
  readonly address: Ip4;
  readonly node: Node;
  readonly holder:
    | { readonly kind: "task"; readonly task: Task }
    | { readonly kind: "container"; readonly attachment: Attachment };
}

/** A running, wanted task that gets connections, in one network. */
export interface Server {
  readonly address: Ip4;
  readonly node: Node;
  readonly task: Task;
}

/** A network of this node, with all its endpoints on any node. */
export interface Segment {
  readonly network: Network;
  readonly vni: Vni;
  readonly subnet: Range4;
  readonly gateway: Ip4;
  /** Sorted by address. */
  readonly endpoints: readonly SegmentEndpoint[];
  /** Sorted by name. */
  readonly services: readonly Service[];
  /** The servers of each service, sorted by address. */
  readonly servers: ReadonlyMap<ServiceId, readonly Server[]>;
  /** Services' own addresses; none with `dnsrr`. In the ingress network only of those that the HTTP proxy asks. */
  readonly vips: ReadonlyMap<ServiceId, Ip4>;
}

/** A network that can be planned. */
type Ground = Pick<Segment, "network" | "vni" | "subnet" | "gateway">;

/** The networks in which the node has a bridge, sorted by id. */
export function segmentsOf(view: View, self: NodeId, oddities: Oddities): Segment[] {
  const grounds = groundsOf(view, self, oddities);
  const networks = grounds.map(({ network }) => network);
  if (networks.length === 0) return [];
  const places = new Map<NetworkId, Holder[]>(networks.map(({ Id }) => [Id, []]));
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
  return sorted(grounds, ({ network }) => network.Id).map((ground) => {
    const { Id } = ground.network;
    const within = (found: string, whose: () => string): Ip4 | undefined =>
      addressIn(ground, { found, whose }, oddities);
    const inside = (places.get(Id) ?? []).flatMap((place): SegmentEndpoint[] => {
      const address = within(place.address, () => nameOf(place));
      return address === undefined ? [] : [{ ...place, address }];
    });
    const sortedPlaces = sorted(inside, ({ address }) => address);
    const own = services.get(Id) ?? [];
    return {
      ...ground,
      endpoints: sortedPlaces,
      services: own,
      servers: serversOf(sortedPlaces),
      vips: new Map(
        own.flatMap((service): [ServiceId, Ip4][] => {
          // Published ports lead to tasks directly. Their VIP of the ingress network is only for clients of the API.
          const isUsed = !ground.network.Ingress || httpPort(service.Spec.Labels) !== undefined;
          const found = isUsed ? vipOf(service, Id) : undefined;
          if (found === undefined) return [];
          const vip = within(found, () => `service ${shown(service.Spec.Name)}`);
          return vip === undefined ? [] : [[service.ID, vip]];
        }),
      ),
    };
  });
}

/** An endpoint as the state has it, unchecked. */
type Holder = Omit<SegmentEndpoint, "address"> & { readonly address: string };

function nameOf({ holder }: Holder): string {
  return holder.kind === "task"
    ? `task ${shown(holder.task.ID)}`
    : `container ${shown(holder.attachment.name)}`;
}

/** Valid networks in which the node has a bridge. When two have the same number, only the older one is valid. */
function groundsOf(view: View, self: NodeId, oddities: Oddities): Ground[] {
  const taken = new Set<number>();
  const mine = view.networks().filter((network) => isUsable(network, self));
  return sorted(mine, ({ Created, Id }) => `${Created} ${Id}`).flatMap((network) => {
    const ground = groundOf(network, self, oddities);
    if (ground === undefined) return [];
    if (taken.has(ground.vni)) {
      oddities.leftOut(
        `network ${shown(network.Name)}`,
        `another network has its number, ${ground.vni}`,
      );
      return [];
    }
    taken.add(ground.vni);
    return [ground];
  });
}

function groundOf(network: Network, self: NodeId, oddities: Oddities): Ground | undefined {
  const named = (part: string) => () => `${part} of network ${shown(network.Name)}`;
  const number = oddities.unless(vni(network.Gam.vni), named("number"), network.Gam.vni);
  const range = network.IPAM.Config[0]?.Subnet ?? "";
  const subnet = oddities.unless(range4(range), named("subnet"), range);
  const address = network.Gam.gateways[self] ?? "";
  const gateway = oddities.unless(ip4(address), named("gateway"), address);
  if (number === undefined || subnet === undefined || gateway === undefined) return undefined;
  return { network, vni: number, subnet, gateway };
}

/** The checked address; `undefined` when it is no IPv4 address, outside of the subnet, or the gateway's. */
function addressIn(
  { network, subnet, gateway }: Ground,
  { found, whose }: { readonly found: string; readonly whose: () => string },
  oddities: Oddities,
): Ip4 | undefined {
  const what = (): string => `address of ${whose()} in network ${shown(network.Name)}`;
  const address = oddities.unless(ip4(found), what, found);
  if (address === undefined) return undefined;
  const isInside = isIn(numberOf(address) ?? 0, spanOf(subnet) as Span);
  if (isInside && address !== gateway) return address;
  oddities.leftOut(
    what(),
    isInside ? "it is the gateway's" : `${shown(found)} is not in ${subnet}`,
  );
  return undefined;
}

function serversOf(endpoints: readonly SegmentEndpoint[]): Map<ServiceId, readonly Server[]> {
  const servers = new Map<ServiceId, Server[]>();
  for (const { address, node, holder } of endpoints) {
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

/** Services by network, sorted by name. One with published ports, or for the HTTP proxy, is in the ingress network too. */
function servicesByNetwork(
  view: View,
  networks: readonly Network[],
): ReadonlyMap<string, readonly Service[]> {
  const ingress = networks.find(({ Ingress }) => Ingress);
  const found = new Map<string, Service[]>(networks.map(({ Id }) => [Id, []]));
  for (const service of sorted(view.services(), ({ Spec }) => Spec.Name)) {
    const ids = new Set(targetsOf(service).map(({ Target }) => Target));
    const { Endpoint, Spec } = service;
    if (ingress !== undefined && needsIngress(Endpoint, Spec.Labels)) ids.add(ingress.Id);
    for (const id of ids) found.get(id)?.push(service);
  }
  return found;
}

/** The network ids in a service's spec, in either of the two fields that a client may use. */
export function targetsOf({ Spec }: Service): readonly NetworkTarget[] {
  return Spec.TaskTemplate.Networks ?? Spec.Networks ?? [];
}

/** The service's address in a network as the state has it, without its prefix; none with `dnsrr`. */
function vipOf({ Spec, Endpoint }: Service, network: NetworkId): string | undefined {
  if (Spec.EndpointSpec?.Mode === "dnsrr") return undefined;
  const address = Endpoint.VirtualIPs?.find(({ NetworkID }) => NetworkID === network)?.Addr;
  return address?.split("/")[0] || undefined;
}

/** Sorts by text, not by meaning: every peer only has to get the same order. */
export function sorted<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return keyed.map(({ item }) => item);
}
