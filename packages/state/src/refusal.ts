/**
 * Refusal: why a change does not hold against the state as it is.
 *
 * Decides what would break the store's promises: unique names, unique published ports, objects in use
 * that stay, and versions that writers have seen. Networks are in network-refusal.ts. The words are
 * Swarm's.
 */
import type { ServiceId } from "@gam/core";
import type { Change, NewNode, Refusal } from "./change.ts";
import { firstDialect } from "./dialect.ts";
import { lostNetwork, refusalOfNetwork } from "./network-refusal.ts";
import type { Node } from "./node.ts";
import { heldPorts, hostPorts, ingressPorts } from "./ports.ts";
import { areSealed } from "./root-rotation.ts";
import type { PortConfig, Service } from "./service.ts";
import type { View } from "./view.ts";

const otherRoot: Refusal = { code: "STALE_VERSION", message: "the root key is another by now" };

/** `undefined` when the change holds. */
export function refusalOf(view: View, change: Change): Refusal | undefined {
  switch (change.kind) {
    case "createCluster":
      return view.cluster === undefined
        ? undefined
        : { code: "IN_USE", message: "there is a cluster already" };
    case "updateCluster":
      return stale(view.cluster, change.basedOn, "cluster");
    case "rotateTokens": {
      const roots = [view.cluster?.RootPublicKey, view.cluster?.NextRoot?.PublicKey];
      return areSealed([change.worker, change.manager], roots) ? undefined : otherRoot;
    }
    case "rotateRoot": {
      const { Worker, Manager } = change.tokens;
      const holds =
        view.cluster?.RootPublicKey === change.root &&
        areSealed([Worker, Manager], [change.root, change.next.PublicKey]);
      return holds ? undefined : otherRoot;
    }
    case "updateNode":
      return stale(view.node(change.id), change.basedOn, `node ${change.id}`);
    case "removeNode":
      return missing(view.node(change.id), `node ${change.id}`);
    case "joinNode":
      return tooOldToJoin(view, change.node);
    case "describeNode":
      return downgraded(view.node(change.id), change.dialect);
    case "createService":
      return (
        takenServiceName(view, change.spec.Name) ??
        takenId(view.service(change.id), `service ${change.id}`) ??
        lostNetwork(view, change.spec) ??
        takenPort(view, change.id, change.spec.EndpointSpec?.Ports) ??
        takenOnHosts(view, change.id, change.spec.EndpointSpec?.Ports)
      );
    case "updateService":
      return (
        stale(view.service(change.id), change.basedOn, `service ${change.id}`) ??
        renamed(view.service(change.id), change) ??
        lostNetwork(view, change.spec) ??
        takenPort(view, change.id, change.spec.EndpointSpec?.Ports) ??
        takenOnHosts(view, change.id, change.spec.EndpointSpec?.Ports)
      );
    case "removeService":
      return missing(view.service(change.id), `service ${change.id}`);
    case "createNetwork":
    case "removeNetwork":
    case "attachContainer":
      return refusalOfNetwork(view, change);
    default:
      return undefined;
  }
}

/** It could not read what the log has brought already. */
function tooOldToJoin({ dialect }: View, { Gam }: NewNode): Refusal | undefined {
  const spoken = Gam.dialect ?? firstDialect;
  if (spoken >= dialect) return undefined;
  const message =
    `gam on this host is too old to join: it reads dialect ${spoken} of the log, and the cluster uses ${dialect}. ` +
    "Upgrade gam on this host and join again";
  return { code: "REFUSED", message };
}

/** What a member once said it reads others have counted on. */
function downgraded(node: Node | undefined, spoken = firstDialect): Refusal | undefined {
  const before = node?.Gam.dialect ?? firstDialect;
  if (spoken >= before) return undefined;
  const message =
    `gam on this host is older than before: it reads dialect ${spoken} of the log, and said ${before}. ` +
    "Start the newer version again";
  return { code: "REFUSED", message };
}

/** One of these ports is published by another service, on every node. */
export function takenPort(
  view: View,
  id: ServiceId,
  ports: readonly PortConfig[] | undefined,
): Refusal | undefined {
  return collision(view, id, ingressPorts({ Ports: ports ?? [] }), heldPorts, "an ingress port");
}

/**
 * One of these ports is bound on hosts by this service and published on every node by another, or the
 * other way round. Two services that bind one on hosts do not meet: placement sees to that.
 */
function takenOnHosts(
  view: View,
  id: ServiceId,
  ports: readonly PortConfig[] | undefined,
): Refusal | undefined {
  const asked = { Ports: ports ?? [] };
  const bound = ({ Spec }: Service): readonly PortConfig[] => hostPorts(Spec.EndpointSpec);
  return (
    collision(view, id, ingressPorts(asked), bound, "an ingress port") ??
    collision(view, id, hostPorts(asked), heldPorts, "a host-published port")
  );
}

function collision(
  view: View,
  id: ServiceId,
  asked: readonly PortConfig[],
  heldBy: (service: Service) => readonly PortConfig[],
  as: string,
): Refusal | undefined {
  for (const port of asked) {
    if (!port.PublishedPort) continue;
    const holder = view
      .services()
      .find((service) => service.ID !== id && heldBy(service).some((one) => same(one, port)));
    if (holder === undefined) continue;
    const message = `port '${port.PublishedPort}' is already in use by service '${holder.Spec.Name}' (${holder.ID}) as ${as}`;
    return { code: "BAD_REQUEST", message };
  }
  return undefined;
}

function same(a: PortConfig, b: PortConfig): boolean {
  return a.PublishedPort === b.PublishedPort && (a.Protocol ?? "tcp") === (b.Protocol ?? "tcp");
}

function takenServiceName(view: View, name: string): Refusal | undefined {
  if (!view.services().some((service) => service.Spec.Name === name)) return undefined;
  const message = `name conflicts with an existing object: service ${name} already exists`;
  return { code: "NAME_IN_USE", message };
}

/** Names are unique because they stay: also the one that an update may go back to. */
function renamed(
  service: Service | undefined,
  { spec, previous = spec }: Extract<Change, { kind: "updateService" }>,
): Refusal | undefined {
  const names = [spec.Name, previous.Name];
  if (names.every((name) => name === service?.Spec.Name)) return undefined;
  return { code: "BAD_REQUEST", message: "renaming services is not supported" };
}

/** Ids are made up by who asks, and what has one already must not be replaced by it. */
function takenId(object: unknown, name: string): Refusal | undefined {
  return object === undefined ? undefined : { code: "IN_USE", message: `${name} already exists` };
}

function stale(
  object: { readonly Version: { readonly Index: number } } | undefined,
  basedOn: number,
  name: string,
): Refusal | undefined {
  if (object === undefined) return missing(object, name);
  if (object.Version.Index === basedOn) return undefined;
  return { code: "STALE_VERSION", message: "update out of sequence" };
}

function missing(object: unknown, name: string): Refusal | undefined {
  return object === undefined ? { code: "NOT_FOUND", message: `${name} not found` } : undefined;
}
