/**
 * Plan of a node: what its data plane must be, from the state alone.
 *
 * Decides which networks, service addresses, published ports and names a node has, who stands behind
 * them, and by which way each address on another node is reached. Does not give addresses (that is the
 * leader's part) and does not know what the kernel has (the runtime's).
 *
 * A task serves while it runs, is wanted, and its node is not down. It can be reached as long as it has
 * not ended: whoever is about to stop still answers those who came before.
 */
import type { NodeId } from "@gam/core";
import {
  demandsEncryption,
  guarded,
  ingressPorts,
  type Node,
  noGuard,
  type PlanGuard,
  type Service,
  type Task,
  type View,
} from "@gam/state";
import { bridgeName, mayTunnel, mtuOf, planNetwork, tunnelBytes } from "@gam/worker";
import { affinityOf } from "./affinity.ts";
import { planDns } from "./dns-plan.ts";
import type { NetworkPlane, NodePlan, PortPlane, ServicePlane, TunnelPlan } from "./node-plan.ts";
import { type Segment, type Server, segmentsOf, sorted, vipOf } from "./segment.ts";
import { numberOf } from "./subnet.ts";

const tunnelPort = 51820;

/**
 * `undefined`: the node is unknown, or takes no part in networks across hosts. A plan without networks is
 * one too: what was there for the last one has to go. A network or a service that cannot be planned is left out.
 */
export function planNode(view: View, self: NodeId, guard = noGuard): NodePlan | undefined {
  const node = view.node(self);
  if (node === undefined || node.Gam.network === undefined) return undefined;
  if (node.Gam.network.problem !== "" || !isIp4(node.Status.Addr)) return undefined;
  const segments = segmentsOf(view, self);
  const others = sorted(
    view.nodes().filter(({ ID }) => ID !== self),
    ({ ID }) => ID,
  );
  const tunnels = planTunnels(node, others);
  return {
    self,
    underlay: node.Status.Addr,
    vxlanPort: view.cluster?.DataPathPort ?? 4789,
    neighbours: others
      .filter((other) => isIp4(other.Status.Addr) && !usesTunnel(node, other, false))
      .map(({ Status }) => Status.Addr)
      .sort(),
    ...(tunnels && { tunnels }),
    networks: segments.flatMap((segment) => {
      const plane = (): NetworkPlane | undefined => planPlane(segment, node, view);
      return guarded(guard, segment.network.Id, plane, undefined) ?? [];
    }),
    services: sorted(
      segments.flatMap((segment) => planServices(segment, guard)),
      ({ key }) => key,
    ),
    ports: sorted(
      segments.flatMap((segment) => planPorts(segment, self, guard)),
      ({ key }) => key,
    ),
    dns: planDns(segments, node, guard),
  };
}

function planPlane(
  { network, subnet, gateway, places, services }: Segment,
  node: Node,
  view: View,
): NetworkPlane | undefined {
  const engine = planNetwork(network, node, view.cluster?.ID ?? "");
  if (engine === undefined) return undefined;
  const encrypted = demandsEncryption(network);
  const addresses = [
    ...places.map((place) => ({ address: place.address, on: place.node })),
    ...Object.entries(network.Gam.gateways).map(([id, address]) => ({
      address,
      on: view.node(id as NodeId),
    })),
  ];
  const remotes = addresses.flatMap(({ address, on }) => {
    if (on === undefined || on.ID === node.ID) return [];
    const via = usesTunnel(node, on, encrypted) ? on.Gam.tunnel : plainWay(on, encrypted);
    return via === undefined ? [] : [{ address, via }];
  });
  return {
    id: network.Id,
    name: network.Name,
    vni: network.Gam.vni,
    bridge: bridgeName(network),
    vxlan: `gamx-${network.Gam.vni}`,
    subnet,
    gateway,
    internal: network.Internal,
    ingress: network.Ingress,
    encrypted,
    mtu: mtuOf(network, node),
    vips: services.flatMap((service) => vipOf(service, network.Id) ?? []).sort(),
    remotes: sorted(remotes, ({ address }) => address),
    locals: places.filter((place) => place.node.ID === node.ID).map(({ address }) => address),
    engine,
  };
}

function plainWay({ Status }: Node, encrypted: boolean): string | undefined {
  return encrypted || !isIp4(Status.Addr) ? undefined : Status.Addr;
}

function usesTunnel(a: Node, b: Node, demanded: boolean): boolean {
  return [a, b].every((node) => hasTunnel(node) && mayTunnel(node, demanded));
}

function hasTunnel({ Gam, Status }: Node): boolean {
  const { network, tunnel } = Gam;
  if (network === undefined || tunnel === undefined || !isIp4(Status.Addr)) return false;
  return network.encryption !== "none" && network.publicKey !== "";
}

function planTunnels(node: Node, others: readonly Node[]): TunnelPlan | undefined {
  const { network, tunnel } = node.Gam;
  if (!hasTunnel(node) || network === undefined || tunnel === undefined) return undefined;
  const peers = others.flatMap((other) => {
    const publicKey = other.Gam.network?.publicKey;
    if (!hasTunnel(other) || publicKey === undefined || other.Gam.tunnel === undefined) return [];
    return [{ node: other.ID, publicKey, underlay: other.Status.Addr, tunnel: other.Gam.tunnel }];
  });
  return {
    address: tunnel,
    publicKey: network.publicKey,
    port: tunnelPort,
    mtu: network.mtu - tunnelBytes,
    peers: sorted(peers, ({ publicKey }) => publicKey),
  };
}

function planServices(segment: Segment, guard: PlanGuard): ServicePlane[] {
  return segment.services.flatMap((service) => {
    return guarded(guard, service.ID, () => planService(service, segment), []);
  });
}

function planService(service: Service, { network, servers }: Segment): ServicePlane[] {
  const vip = vipOf(service, network.Id);
  if (vip === undefined) return [];
  const serving = servers.get(service.ID) ?? [];
  return [
    {
      key: `${network.Gam.vni}x${service.ID}`,
      network: network.Id,
      vip,
      backends: serving.map(({ address }) => address),
      ...affinityPart(service, serving),
    },
  ];
}

function affinityPart(
  { Spec }: Service,
  serving: readonly Server[],
): { readonly affinity?: readonly string[] } {
  if (Spec.Labels?.["gam.affinity"] !== "client" || serving.length < 2) return {};
  return { affinity: affinityOf(serving.map(({ task, address }) => ({ id: task.ID, address }))) };
}

function planPorts(segment: Segment, self: NodeId, guard: PlanGuard): PortPlane[] {
  if (!segment.network.Ingress) return [];
  return segment.services.flatMap((service) => {
    return guarded(guard, service.ID, () => planPortsOf(service, segment, self), []);
  });
}

function planPortsOf(service: Service, { servers }: Segment, self: NodeId): PortPlane[] {
  const serving = servers.get(service.ID) ?? [];
  return ingressPorts(service.Endpoint).flatMap((port) => {
    const { Protocol: protocol = "tcp", PublishedPort: published, TargetPort: target } = port;
    if (!published || !target) return [];
    const ready = serving.filter(({ task }) => listensAt(task, protocol, target));
    const local = ready.filter(({ node }) => node.ID === self);
    const remote = ready.filter(({ node }) => node.ID !== self);
    return [
      {
        key: `${protocol}${published}`,
        protocol,
        published,
        target,
        local: local.map(({ address }) => address),
        remote: remote.map(({ address }) => address),
        ...affinityPart(service, local.length > 0 ? local : remote),
      },
    ];
  });
}

/** Tasks of another spec may listen elsewhere: the port is none of theirs. */
function listensAt({ Gam }: Task, protocol: string, target: number): boolean {
  return ingressPorts(Gam.endpoint).some(
    ({ Protocol = "tcp", TargetPort }) => Protocol === protocol && TargetPort === target,
  );
}

const isIp4 = (address: string): boolean => numberOf(address) !== undefined;
