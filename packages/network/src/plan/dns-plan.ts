/**
 * DNS plan: decides which names a node answers in each of its networks, and which container may query which.
 *
 * As in Swarm: a service's name and its aliases resolve to its VIP (with `dnsrr`: to its running tasks), and
 * `tasks.` before them to its running tasks. A task's container name and host name resolve even before it runs, so
 * that tasks find each other while they start. A service's name never resolves to a task with the same name.
 * The short id of a task's container is a name once the container exists.
 *
 * With the network's name after it (`web.front`), each of these names resolves in that network alone.
 */
import type { NetworkId } from "@gam/core";
import {
  containerName,
  expandTemplate,
  guarded,
  type Network,
  type Node,
  noGuard,
  type PlanGuard,
  type Service,
  type Task,
  templateContext,
} from "@gam/state";
import type { DnsPlan, DnsZone } from "./node-plan.ts";
import { type Segment, type SegmentEndpoint, sorted, targetsOf } from "./segment.ts";

/** Names for the host itself, as in Docker Desktop. */
const hostNames = ["host.docker.internal", "gateway.docker.internal"];
const shortIdLength = 12;

/** `segments`: the networks of `node`. A network whose names cannot be planned is left out. */
export function planDns(segments: readonly Segment[], node: Node, guard = noGuard): DnsPlan {
  const upstreams = upstreamsOf(segments, node);
  return {
    zones: segments.flatMap((segment) => {
      return guarded(guard, segment.network.Id, () => [planZone(segment, guard)], []);
    }),
    clients: clientsOf(segments, node),
    confined: confinedOf(segments, node),
    ...(upstreams.size > 0 && { upstreams }),
  };
}

function planZone(segment: Segment, guard: PlanGuard): DnsZone {
  const { network, subnet, gateway, endpoints } = segment;
  const names = new Map<string, Set<string>>();
  const reverse = new Map<string, string>();
  const add = (name: string, addresses: readonly string[]): void => {
    const key = name.toLowerCase();
    const known = names.get(key) ?? new Set();
    for (const address of addresses) known.add(address);
    names.set(key, known);
  };
  if (!network.Ingress) {
    for (const service of segment.services) {
      guarded(guard, service.ID, () => addService(service, segment, add), undefined);
      const vip = segment.vips.get(service.ID);
      if (vip !== undefined) reverse.set(vip, `${service.Spec.Name}.${network.Name}`);
    }
    const taken = new Set(names.keys());
    for (const endpoint of endpoints) {
      const own = namesOf(endpoint);
      for (const name of own) if (!taken.has(name.toLowerCase())) add(name, [endpoint.address]);
      reverse.set(endpoint.address, `${own[0]}.${network.Name}`);
    }
  }
  for (const name of hostNames) if (!names.has(name)) add(name, [gateway]);
  return {
    network: network.Id,
    name: network.Name.toLowerCase(),
    internal: network.Internal,
    gateway,
    subnet,
    names: new Map([...names].map(([name, addresses]) => [name, [...addresses].sort()])),
    reverse,
  };
}

function addService(
  service: Service,
  { network, servers, vips }: Segment,
  add: (name: string, addresses: readonly string[]) => void,
): void {
  const tasks = (servers.get(service.ID) ?? []).map(({ address }) => address);
  const vip = vips.get(service.ID);
  const roundRobin = service.Spec.EndpointSpec?.Mode === "dnsrr";
  const addresses = roundRobin ? tasks : vip === undefined ? [] : [vip];
  for (const name of [service.Spec.Name, ...aliasesOf(service, network)]) {
    add(name, addresses);
    add(`tasks.${name}`, tasks);
  }
}

function aliasesOf(service: Service, { Id }: Network): readonly string[] {
  const targets = targetsOf(service).filter(({ Target }) => Target === Id);
  return targets.flatMap(({ Aliases }) => Aliases ?? []);
}

/** The names of an endpoint; the first one is the container's name. */
function namesOf({ holder, node }: SegmentEndpoint): string[] {
  if (holder.kind === "container") {
    const { name, aliases = [] } = holder.attachment;
    return [name, ...aliases];
  }
  const id = holder.task.Status.ContainerStatus?.ContainerID ?? "";
  const shortId = id === "" ? [] : [id.slice(0, shortIdLength)];
  return [containerName(holder.task), ...shortId, ...hostNameOf(holder.task, node)];
}

/** The container's host name in the spec. Without one the engine uses the short id. */
function hostNameOf(task: Task, node: Node): string[] {
  const wish = task.Spec.ContainerSpec.Hostname;
  if (!wish) return [];
  const expanded = expandTemplate(wish, templateContext(task, node));
  // The worker rejects a task whose template does not expand.
  return "text" in expanded && expanded.text !== "" ? [expanded.text] : [];
}

/** Which networks each container may query. Leaves out ingress: it only carries published ports. */
function clientsOf(segments: readonly Segment[], { ID }: Node): Map<string, readonly NetworkId[]> {
  const shown = segments.filter(({ network }) => !network.Ingress);
  const ofContainer = new Map<string, NetworkId[]>();
  const own = segments.flatMap(({ network, endpoints }) =>
    endpoints.flatMap((endpoint) => (endpoint.node.ID === ID ? [{ network, endpoint }] : [])),
  );
  for (const { network, endpoint } of own) {
    if (endpoint.holder.kind === "task") continue;
    const { name } = endpoint.holder.attachment;
    ofContainer.set(name, [...(ofContainer.get(name) ?? []), network.Id]);
  }
  const networksOf = ({ holder }: SegmentEndpoint): readonly NetworkId[] => {
    if (holder.kind === "container") return ofContainer.get(holder.attachment.name) ?? [];
    const ids = holder.task.Gam.attachments.map((attachment) => attachment.network);
    return ids.filter((id) => shown.some(({ network }) => network.Id === id));
  };
  const ordered = sorted(own, ({ endpoint }) => endpoint.address);
  return new Map(ordered.map(({ endpoint }) => [endpoint.address, networksOf(endpoint)]));
}

/**
 * Addresses of containers with internal networks only. Ingress is not internal: a container in it has a way
 * out.
 */
function confinedOf(segments: readonly Segment[], { ID }: Node): Set<string> {
  const own = segments.flatMap(({ network, endpoints }) =>
    endpoints.flatMap((endpoint) => {
      if (endpoint.node.ID !== ID) return [];
      return [
        { address: endpoint.address, holder: holderOf(endpoint), internal: network.Internal },
      ];
    }),
  );
  const free = new Set(own.flatMap(({ holder, internal }) => (internal ? [] : [holder])));
  return new Set(own.flatMap(({ address, holder }) => (free.has(holder) ? [] : [address])));
}

/** A key that is the same for all endpoints of one container. */
function holderOf({ holder }: SegmentEndpoint): string {
  return holder.kind === "task" ? `task ${holder.task.ID}` : `container ${holder.attachment.name}`;
}

/**
 * Name servers from the specs. A container asks the gateway, which forwards to them: they lack the cluster's
 * names.
 */
function upstreamsOf(segments: readonly Segment[], { ID }: Node): Map<string, readonly string[]> {
  const upstreams = new Map<string, readonly string[]>();
  for (const { endpoints } of segments) {
    for (const { holder, node, address } of endpoints) {
      if (node.ID !== ID || holder.kind === "container") continue;
      const servers = holder.task.Spec.ContainerSpec.DNSConfig?.Nameservers ?? [];
      if (servers.length > 0) upstreams.set(address, servers);
    }
  }
  return upstreams;
}
