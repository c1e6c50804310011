import type { EndpointSpec, PortConfig, Service } from "./service.ts";

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
export function heldPorts({
  Spec,
  PreviousSpec,
  Endpoint,
  UpdateStatus,
}: Service): readonly PortConfig[] {
  const held = [...ingressPorts(Endpoint), ...ingressPorts(Spec.EndpointSpec)];
  const mayGoBack =
    Spec.UpdateConfig?.FailureAction === "rollback" && UpdateStatus?.State !== "completed";
  return mayGoBack ? [...held, ...ingressPorts(PreviousSpec?.EndpointSpec)] : held;
}
