/**
 * Endpoint: the ports under which a service is published.
 *
 * An ingress port requested without a number gets the lowest free one. It keeps that number as long as the
 * service publishes the same container port. When none is free, the port stays without a number,
 * and the next plan tries again.
 */

import { sameValue } from "@gam/core";
import {
  type Endpoint,
  guarded,
  heldPorts,
  hostPorts,
  noGuard,
  type PlanGuard,
  type PlannedChange,
  type PortConfig,
  type Service,
  takenPort,
  type View,
} from "@gam/state";

const portMin = 30_000;
const portMax = 32_767;

export interface EndpointLimits {
  readonly changesMax?: number;
  readonly guard?: PlanGuard;
}

/** Shape: `services` are those to plan for. Ports of all services in the view count as taken. */
export function planEndpoints(
  view: View,
  services: readonly Service[],
  { changesMax = Number.POSITIVE_INFINITY, guard = noGuard }: EndpointLimits = {},
): PlannedChange[] {
  const asking = services.filter((service) => {
    return guarded(guard, service.ID, () => !isSettled(service), false);
  });
  if (asking.length === 0) return [];
  const taken = new Set<string>();
  for (const service of view.services()) {
    // A published port would take the port away from tasks that bind it on their host.
    for (const port of [...heldPorts(service), ...hostPorts(service.Spec.EndpointSpec)]) {
      if (port.PublishedPort) taken.add(nameOf(port, port.PublishedPort));
    }
  }
  const changes: PlannedChange[] = [];
  for (const service of asking) {
    if (changes.length >= changesMax) break;
    const endpoint = endpointOf(service, taken);
    if (sameValue(endpoint, service.Endpoint)) continue;
    // Apply would refuse the change, and every plan would repeat it.
    if (takenPort(view, service.ID, endpoint.Ports) !== undefined) continue;
    changes.push({ kind: "setEndpoint", id: service.ID, endpoint });
  }
  return changes;
}

/** Whether the endpoint has every port of the spec, in the same order, with a number where it needs one. */
function isSettled({ Spec, Endpoint }: Service): boolean {
  const wanted = Spec.EndpointSpec?.Ports ?? [];
  const given = Endpoint.Ports ?? [];
  return (
    wanted.length === given.length &&
    wanted.every((port, index) => {
      const other = given[index];
      if (other === undefined || !isSame(port, other)) return false;
      if (port.PublishedPort) return port.PublishedPort === other.PublishedPort;
      return port.PublishMode === "host" || (other.PublishedPort ?? 0) > 0;
    })
  );
}

function endpointOf({ Spec, Endpoint: before }: Service, taken: Set<string>): Endpoint {
  const Ports = (Spec.EndpointSpec?.Ports ?? []).map((port): PortConfig => {
    if (port.PublishedPort || port.PublishMode === "host") return port;
    const held = before.Ports?.find((other) => isSame(port, other) && inRange(other));
    const PublishedPort = held?.PublishedPort ?? lowestFree(port, taken);
    if (PublishedPort === undefined) return port;
    taken.add(nameOf(port, PublishedPort));
    return { ...port, PublishedPort };
  });
  const { Ports: _, ...rest } = before;
  return { ...rest, ...(Ports.length > 0 && { Ports }), Spec: Spec.EndpointSpec ?? {} };
}

function lowestFree(port: PortConfig, taken: ReadonlySet<string>): number | undefined {
  for (let number = portMin; number <= portMax; number += 1) {
    if (!taken.has(nameOf(port, number))) return number;
  }
  return undefined;
}

function inRange({ PublishedPort = 0 }: PortConfig): boolean {
  return PublishedPort >= portMin && PublishedPort <= portMax;
}

function isSame(a: PortConfig, b: PortConfig): boolean {
  return (
    a.TargetPort === b.TargetPort &&
    (a.Protocol ?? "tcp") === (b.Protocol ?? "tcp") &&
    (a.PublishMode ?? "ingress") === (b.PublishMode ?? "ingress") &&
    (a.Name ?? "") === (b.Name ?? "")
  );
}

function nameOf(port: PortConfig, number: number): string {
  return `${port.Protocol ?? "tcp"}/${number}`;
}
