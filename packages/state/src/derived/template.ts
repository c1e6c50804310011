/**
 * Template: whether two specs make the same tasks.
 *
 * Only the task template and the endpoint spec count. Labels, replicas, update settings and the name of the
 * service do not count. Neither do defaults that one client spells out and another leaves out: `docker stack
 * deploy` sends an unnormalised spec each time, and must not restart everything.
 */
import type { ServiceSpec } from "../objects/service.ts";

/** Whether tasks of one spec need no replacement under the other. */
export function sameTemplate(a: ServiceSpec, b: ServiceSpec): boolean {
  return asWritten(a) === asWritten(b) || canonical(a) === canonical(b);
}

/** Fast path: most specs that make the same tasks are also written in the same way. */
function asWritten({ TaskTemplate, Networks, EndpointSpec }: ServiceSpec): string {
  return JSON.stringify([TaskTemplate, Networks, EndpointSpec]);
}

function canonical(spec: ServiceSpec): string {
  const networks = spec.TaskTemplate.Networks ?? spec.Networks;
  const endpoint = { ...spec.EndpointSpec, Mode: spec.EndpointSpec?.Mode ?? "vip" };
  const task = {
    Runtime: "container",
    ForceUpdate: 0,
    ...spec.TaskTemplate,
    Networks: networks,
    ContainerSpec: { Isolation: "default", ...spec.TaskTemplate.ContainerSpec },
  };
  return JSON.stringify(ordered([task, endpoint])) ?? "";
}

/** Sorts keys and drops empty values. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => ordered(one) ?? null);
  if (typeof value !== "object" || value === null) return value;
  const kept: [string, unknown][] = [];
  for (const key of Object.keys(value).sort()) {
    const one = ordered((value as Record<string, unknown>)[key]);
    if (!isNothing(one)) kept.push([key, one]);
  }
  return Object.fromEntries(kept);
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.keys(value).length === 0;
}
