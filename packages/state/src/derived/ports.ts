import type { EndpointSpec, PortConfig, Service } from "../objects/service.ts";

/** Ports published on every node. */
export function ingressPorts(endpoint: EndpointSpec | undefined): readonly PortConfig[] {
  return (endpoint?.Ports ?? []).filter((port) => port.PublishMode !== "host");
}

/** Ports bound on the node of a task, and so to be had once on each node. */
export function hostPorts(endpoint: EndpointSpec | undefined): readonly PortConfig[] {
  return (endpoint?.Ports ?? []).filter((port) => port.PublishMode === "host");
}

/**
 * Ports on every node that no other service may have: those that are given, those that are asked for,
 * and those that the service may go back to when its update fails.
 */
export function heldPorts(service: Service): readonly PortConfig[] {
  const { Spec, PreviousSpec, Endpoint } = service;
  const held = [...ingressPorts(Endpoint), ...ingressPorts(Spec.EndpointSpec)];
  return mayGoBack(service) ? [...held, ...ingressPorts(PreviousSpec?.EndpointSpec)] : held;
}

/** An update that fails now would take the service back to its spec before. */
export function mayGoBack({ Spec, UpdateStatus }: Service): boolean {
  return (
    Spec.UpdateConfig?.FailureAction === "rollback" &&
    (UpdateStatus === undefined || UpdateStatus.State === "updating")
  );
}
