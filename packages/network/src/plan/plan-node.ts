/**
 * Plan node: computes a node's plan from the state alone.
 *
 * Decides which networks, service addresses, published ports and names a node has, which tasks are their backends,
 * and how to reach each address on another node. Does not give addresses (the leader does) and does not know what
 * the kernel has (the runtime does).
 *
 * A task is a backend while it runs, is wanted, and its node is not down. Its address stays reachable until it has
 * ended, because a task that is about to stop still answers existing connections.
 */
import type { NodeId } from "@gam/core";
import {
  bridgeName,
  demandsEncryption,
  guarded,
  httpPort,
  ingressPorts,
  mayTunnel,
  mtuOf,
  type Node,
  noGuard,
  type PlanGuard,
  type PortConfig,
  planNetwork,
  type Service,
  type Task,
  tunnelBytes,
  type View,
} from "@gam/state";
import { planDns } from "./dns-plan.ts";
import { type NodeEnd, nodeEnds, tunnelPort, wallsOf } from "./node-ends.ts";
import type {
  NetworkPlane,
  NodePlan,
  PortPlane,
  ServicePlane,
  TunnelPlan,
  Walls,
} from "./node-plan.ts";
import { Oddities, shown } from "./oddities.ts";
import { chainKey, deviceName, type Ip4, ip4, mtu, type Port, port } from "./safe-values.ts";
import { type Segment, type Server, segmentsOf, sorted } from "./segment.ts";
import { nearFirst, serversOfPort, spreadOver } from "./shares.ts";

const vxlanPortDefault = port(4789) as Port;

/** The input of all parts of one plan. */
interface Planning {
  readonly view: View;
  readonly node: Node;
  readonly ends: ReadonlyMap<NodeId, NodeEnd>;
  readonly vxlanPort: Port;
  readonly walls: Walls;
  readonly oddities: Oddities;
}

/**
 * Returns: `undefined` when the node is unknown or takes no part in networks across hosts. A plan may have no
 * networks; applying it removes those of the last plan. A network or a service that cannot be planned is left out.
 */
export function planNode(view: View, self: NodeId, guard = noGuard): NodePlan | undefined {
  const node = view.node(self);
  if (node === undefined) return undefined;
  const oddities = new Oddities();
  const ends = nodeEnds(view, self, oddities);
  const end = ends.get(self);
  if (end === undefined) return undefined;
  const wished = view.cluster?.DataPathPort ?? vxlanPortDefault;
  const sound = oddities.unless(port(wished), () => "data path port", wished);
  const vxlanPort = sound ?? vxlanPortDefault;
  const walls = wallsOf(view, self);
  const planning: Planning = { view, node, ends, vxlanPort, walls, oddities };
  const segments = segmentsOf(view, self, oddities);
  const tunnels = planTunnels(end, planning);
  return {
    self,
    underlay: end.underlay,
    vxlanPort,
    neighbours: neighboursOf(planning),
    walls,
    ...(tunnels && { tunnels }),
    networks: segments.flatMap((segment) => {
      const plane = (): NetworkPlane | undefined => planPlane(segment, planning);
      return guarded(guard, segment.network.Id, plane, undefined) ?? [];
    }),
    services: sorted(
      segments.flatMap((segment) => planServices(segment, planning, guard)),
      ({ key }) => key,
    ),
    ports: sorted(
      segments.flatMap((segment) => planPorts(segment, planning, guard)),
      ({ key }) => key,
    ),
    dns: planDns(segments, node, guard),
    problems: oddities.sentences,
  };
}

/** Leaves out nodes that take no part: they send no frames, so a frame from there is a container's. */
function neighboursOf({ view, node, ends }: Planning): Ip4[] {
  const others = view.nodes().filter(({ ID }) => ID !== node.ID);
  const found = others.flatMap((other) => {
    const end = ends.get(other.ID);
    return end === undefined || usesTunnel([node, other], ends, false) ? [] : [end.underlay];
  });
  return [...new Set(found)].sort();
}

function planPlane(segment: Segment, planning: Planning): NetworkPlane | undefined {
  const { network, vni, subnet, gateway, endpoints, vips } = segment;
  const { view, node, oddities } = planning;
  const engine = planNetwork(network, node, view.cluster?.ID ?? "");
  const bridge = deviceName(bridgeName(network));
  const vxlan = deviceName(`gamx-${vni}`);
  const size = mtuOf(network, node);
  const bridges = bridgesOf(segment, planning);
  const bytes = oddities.unless(mtu(size), () => `MTU of network ${shown(network.Name)}`, size);
  if (engine === undefined || bridge === undefined) return undefined;
  if (vxlan === undefined || bytes === undefined) return undefined;
  return {
    id: network.Id,
    name: network.Name,
    vni,
    bridge,
    vxlan,
    subnet,
    gateway,
    internal: network.Internal,
    ingress: network.Ingress,
    encrypted: demandsEncryption(network),
    mtu: bytes,
    vips: [...vips.values()].sort(),
    remotes: remotesOf(segment, bridges, planning),
    bridges: bridges.map(({ address }) => address).sort(),
    locals: endpoints
      .filter((endpoint) => endpoint.node.ID === node.ID)
      .map(({ address }) => address),
    engine,
  };
}

type Place = Pick<Segment["endpoints"][number], "address" | "node">;

/** The network's bridges on other nodes. */
function bridgesOf({ network }: Segment, { view, node, oddities }: Planning): Place[] {
  return Object.entries(network.Gam.gateways).flatMap(([id, found]) => {
    const on = view.node(id as NodeId);
    if (on === undefined || on.ID === node.ID) return [];
    const what = (): string => `gateway of network ${shown(network.Name)} on node ${shown(id)}`;
    const address = oddities.unless(ip4(found), what, found);
    return address === undefined ? [] : [{ address, node: on }];
  });
}

/** The addresses on other nodes, and the underlay or tunnel address to which to send their frames. */
function remotesOf(
  { network, endpoints }: Segment,
  bridges: readonly Place[],
  { node, ends }: Planning,
): NetworkPlane["remotes"] {
  const encrypted = demandsEncryption(network);
  const remotes = [...endpoints, ...bridges].flatMap(({ address, node: on }) => {
    const end = ends.get(on.ID);
    if (end === undefined || on.ID === node.ID) return [];
    if (usesTunnel([node, on], ends, encrypted)) {
      return [{ address, via: end.tunnel?.address ?? end.underlay }];
    }
    return encrypted ? [] : [{ address, via: end.underlay }];
  });
  return sorted(remotes, ({ address }) => address);
}

function usesTunnel(
  pair: readonly Node[],
  ends: ReadonlyMap<NodeId, NodeEnd>,
  demanded: boolean,
): boolean {
  return pair.every((node) => ends.get(node.ID)?.tunnel !== undefined && mayTunnel(node, demanded));
}

function planTunnels(end: NodeEnd, { node, ends, oddities }: Planning): TunnelPlan | undefined {
  if (end.tunnel === undefined) return undefined;
  const size = (node.Gam.network?.mtu ?? 0) - tunnelBytes;
  const bytes = oddities.unless(mtu(size), () => "MTU of the tunnels", size);
  if (bytes === undefined) return undefined;
  const peers = [...ends].flatMap(([id, { underlay, tunnel }]) => {
    if (id === node.ID || tunnel === undefined) return [];
    return [{ node: id, publicKey: tunnel.publicKey, underlay, tunnel: tunnel.address }];
  });
  return {
    ...end.tunnel,
    port: tunnelPort,
    mtu: bytes,
    peers: sorted(peers, ({ publicKey }) => publicKey),
  };
}

function planServices(segment: Segment, planning: Planning, guard: PlanGuard): ServicePlane[] {
  return segment.services.flatMap((service) => {
    return guarded(guard, service.ID, () => planService(service, segment, planning), []);
  });
}

function planService(
  service: Service,
  { network, vni, servers, vips }: Segment,
  { node, oddities }: Planning,
): ServicePlane[] {
  const vip = vips.get(service.ID);
  const named = (): string => `id of service ${shown(service.Spec.Name)}`;
  const key = oddities.unless(chainKey(`${vni}x${service.ID}`), named, service.ID);
  if (vip === undefined || key === undefined) return [];
  const running = servers.get(service.ID) ?? [];
  const serving = network.Ingress ? proxied(running, service, node) : running;
  return [
    {
      key,
      network: network.Id,
      vip,
      // The proxy asks with one address for all of its clients.
      ...spreadOver(service, serving, network.Ingress ? false : undefined),
    },
  ];
}

/** Which tasks this node's HTTP proxy asks: its own first. Tasks of an older spec may answer at another port. */
function proxied(running: readonly Server[], service: Service, node: Node): readonly Server[] {
  const port = httpPort(service.Spec.Labels);
  const ready = running.filter(({ task }) => httpPort(task.Gam.serviceLabels) === port);
  return nearFirst(service, ready, node);
}

function planPorts(segment: Segment, planning: Planning, guard: PlanGuard): PortPlane[] {
  if (!segment.network.Ingress) return [];
  return segment.services.flatMap((service) => {
    return guarded(guard, service.ID, () => planPortsOf(service, segment, planning), []);
  });
}

function planPortsOf(service: Service, { servers }: Segment, planning: Planning): PortPlane[] {
  return ingressPorts(service.Endpoint).flatMap((config) => {
    const found = portOf(service, config, planning);
    if (found === undefined) return [];
    const { protocol, target } = found;
    const serving = servers.get(service.ID) ?? [];
    const ready = serving.filter(({ task }) => listensAt(task, protocol, target));
    const chosen = serversOfPort(service, ready, planning.node);
    const spread = spreadOver(service, chosen);
    const all = chosen === ready ? [] : spreadOver(service, ready).backends;
    const others = all.filter((address) => !spread.backends.includes(address));
    return [{ ...found, ...spread, others }];
  });
}

/** `undefined` for a port that is not assigned yet, is invalid, or is used by gam itself. */
function portOf(
  service: Service,
  { Protocol = "tcp", PublishedPort, TargetPort }: PortConfig,
  { vxlanPort, walls, oddities }: Planning,
): Pick<PortPlane, "key" | "protocol" | "published" | "target"> | undefined {
  if (!PublishedPort || !TargetPort) return undefined;
  const named = (): string => `port ${shown(PublishedPort)} of service ${shown(service.Spec.Name)}`;
  const protocol = (["tcp", "udp", "sctp"] as const).find((one) => one === Protocol);
  const published = port(PublishedPort);
  const target = port(TargetPort);
  const key = protocol && chainKey(`${protocol}${published}`);
  if (protocol === undefined || published === undefined || target === undefined || !key) {
    oddities.leftOut(named(), `found ${shown(`${PublishedPort}:${TargetPort}/${Protocol}`)}`);
    return undefined;
  }
  const taken: Readonly<Record<string, readonly Port[]>> = {
    udp: [vxlanPort, walls.tunnelPort],
    tcp: walls.ownDoors,
  };
  if (taken[protocol]?.includes(published)) {
    oddities.leftOut(named(), "gam itself uses this port");
    return undefined;
  }
  return { key, protocol, published, target };
}

/** Whether the task's own spec has the port: tasks of an older spec may listen on other ports. */
function listensAt({ Gam }: Task, protocol: string, target: number): boolean {
  return ingressPorts(Gam.endpoint).some(
    ({ Protocol = "tcp", TargetPort }) => Protocol === protocol && TargetPort === target,
  );
}
