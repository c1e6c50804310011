import { httpPort } from "../labels/http-labels.ts";
import type { Labels } from "../objects/meta.ts";
import type { EndpointSpec, PortConfig, Service } from "../objects/service.ts";

/** Ports published on every node. */
export function ingressPorts(endpoint: EndpointSpec | undefined): readonly PortConfig[] {
  return (endpoint?.Ports ?? []).filter((port) => port.PublishMode !== "host");
}

/** Whether hosts reach the tasks through the ingress network: for published ports, or for the HTTP proxy. */
export function needsIngress(
  endpoint: EndpointSpec | undefined,
  labels: Labels | undefined,
): boolean {
  return ingressPorts(endpoint).length > 0 || httpPort(labels) !== undefined;
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
