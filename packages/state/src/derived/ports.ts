import type { EndpointSpec, PortConfig, Service } from "../objects/service.ts";

/** Ports published on every node. */
export function ingressPorts(endpoint: EndpointSpec | undefined): readonly PortConfig[] {
  return (endpoint?.Ports ?? []).filter((port) => port.PublishMode !== "host");
}

/** Ports bound on the task's node, so each node has each of them only once. */
export function hostPorts(endpoint: EndpointSpec | undefined): readonly PortConfig[] {
  return (endpoint?.Ports ?? []).filter((port) => port.PublishMode === "host");
}

/**
 * Returns: the ports on every node that no other service may have: those assigned, those asked for, and those
 *         of a possible rollback.
 */
export function heldPorts(service: Service): readonly PortConfig[] {
  const { Spec, PreviousSpec, Endpoint } = service;
  const held = [...ingressPorts(Endpoint), ...ingressPorts(Spec.EndpointSpec)];
  return mayGoBack(service) ? [...held, ...ingressPorts(PreviousSpec?.EndpointSpec)] : held;
}

/** Whether a failure of the update would now roll the service back to its previous spec. */
export function mayGoBack({ Spec, UpdateStatus }: Service): boolean {
  return (
    Spec.UpdateConfig?.FailureAction === "rollback" &&
    (UpdateStatus === undefined || UpdateStatus.State === "updating")
  );
}
