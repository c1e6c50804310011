/**
 * Refusal: why a change does not hold against the state as it is.
 *
 * Decides what would break the store's promises: unique names, unique published ports, objects in use
 * that stay, and versions that writers have seen. The words are Swarm's.
 */
import type { ServiceId } from "@gam/core";
import type { Change, RefusalCode } from "./change.ts";
import { ingressPorts } from "./ports.ts";
import type { PortConfig } from "./service.ts";
import type { View } from "./view.ts";

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

/** `undefined` when the change holds. */
export function refusalOf(view: View, change: Change): Refusal | undefined {
  switch (change.kind) {
    case "createCluster":
      return view.cluster === undefined
        ? undefined
        : { code: "IN_USE", message: "there is a cluster already" };
    case "updateCluster":
      return stale(view.cluster, change.basedOn, "cluster");
    case "updateNode":
      return stale(view.node(change.id), change.basedOn, `node ${change.id}`);
    case "removeNode":
      return missing(view.node(change.id), `node ${change.id}`);
    case "createService":
      return (
        takenServiceName(view, change.spec.Name) ??
        takenPort(view, change.id, change.spec.EndpointSpec?.Ports)
      );
    case "updateService":
      return (
        stale(view.service(change.id), change.basedOn, `service ${change.id}`) ??
        takenPort(view, change.id, change.spec.EndpointSpec?.Ports)
      );
    case "removeService":
      return missing(view.service(change.id), `service ${change.id}`);
    case "createNetwork":
      return takenNetworkName(view, change.network.Name);
    case "removeNetwork":
      return missing(view.network(change.id), `network ${change.id}`) ?? usedNetwork(view, change);
    default:
      return undefined;
  }
}

/** One of these ports is published by another service, on every node. */
export function takenPort(
  view: View,
  id: ServiceId,
  ports: readonly PortConfig[] | undefined,
): Refusal | undefined {
  for (const port of ingressPorts({ Ports: ports ?? [] })) {
    if (!port.PublishedPort) continue;
    const protocol = port.Protocol ?? "tcp";
    const holder = view
      .services()
      .find(
        (service) =>
          service.ID !== id &&
          [...ingressPorts(service.Endpoint), ...ingressPorts(service.Spec.EndpointSpec)].some(
            (held) =>
              held.PublishedPort === port.PublishedPort && (held.Protocol ?? "tcp") === protocol,
          ),
      );
    if (holder === undefined) continue;
    const message = `port '${port.PublishedPort}' is already in use by service '${holder.Spec.Name}' (${holder.ID}) as an ingress port`;
    return { code: "BAD_REQUEST", message };
  }
  return undefined;
}

function takenServiceName(view: View, name: string): Refusal | undefined {
  if (!view.services().some((service) => service.Spec.Name === name)) return undefined;
  const message = `name conflicts with an existing object: service ${name} already exists`;
  return { code: "NAME_IN_USE", message };
}

function takenNetworkName(view: View, name: string): Refusal | undefined {
  if (!view.networks().some((network) => network.Name === name)) return undefined;
  return { code: "NAME_IN_USE", message: `network with name ${name} already exists` };
}

function usedNetwork(
  view: View,
  { id }: Extract<Change, { kind: "removeNetwork" }>,
): Refusal | undefined {
  const name = view.network(id)?.Name;
  const user = view
    .services()
    .find(({ Spec }) =>
      [...(Spec.TaskTemplate.Networks ?? []), ...(Spec.Networks ?? [])].some(
        ({ Target }) => Target === id || Target === name,
      ),
    );
  if (user === undefined) return undefined;
  return { code: "IN_USE", message: `network ${id} is in use by service ${user.ID}` };
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
