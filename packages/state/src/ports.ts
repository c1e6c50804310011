import type { EndpointSpec, PortConfig } from "./service.ts";

/** Ports published on every node. */
export function ingressPorts(endpoint: EndpointSpec | undefined): readonly PortConfig[] {
  return (endpoint?.Ports ?? []).filter((port) => port.PublishMode !== "host");
}

/** Ports bound on the node of a task, and so to be had once on each node. */
export function hostPorts(endpoint: EndpointSpec | undefined): readonly PortConfig[] {
  return (endpoint?.Ports ?? []).filter((port) => port.PublishMode === "host");
}
