/**
 * Template: whether two specs make the same tasks.
 *
 * Only the task template, the endpoint spec, the labels gam.container.… and gam.pod, and the port for the HTTP proxy count. Other labels, replicas, update settings and the name of the
 * service do not count. Neither do zeros and defaults that one client spells out and another leaves out: a change
 * of the client (docker, gam, docker-py) must not restart everything. template.test.ts has each field.
 */
import { taskLabels } from "../labels/container-labels.ts";
import { httpPort } from "../labels/http-labels.ts";
import type { Mount, Privileges, ServiceSpec } from "../objects/service.ts";

/** Whether tasks of one spec need no replacement under the other. */
export function sameTemplate(a: ServiceSpec, b: ServiceSpec): boolean {
  return asWritten(a) === asWritten(b) || canonical(a) === canonical(b);
}

/** Fast path: most specs that make the same tasks are also written in the same way. */
function asWritten({ TaskTemplate, Networks, EndpointSpec, Labels }: ServiceSpec): string {
  return JSON.stringify([
    TaskTemplate,
    Networks,
    EndpointSpec,
    taskLabels(Labels),
    httpPort(Labels),
  ]);
}

function canonical(spec: ServiceSpec): string {
  const { TaskTemplate: task, Networks, EndpointSpec: endpoint, Labels } = spec;
  const { ContainerSpec: container, LogDriver: log, Placement: placement } = task;
  const preferences = placement?.Preferences?.filter(({ Spread }) => Spread?.SpreadDescriptor);
  const meaning = {
    ...task,
    Runtime: task.Runtime ?? "container",
    Networks: task.Networks ?? Networks,
    RestartPolicy: { Condition: "any", Delay: 5 * secondNs, ...task.RestartPolicy },
    LogDriver: log?.Name ? log : undefined,
    Placement: { ...placement, Preferences: preferences },
    ContainerSpec: {
      ...container,
      Isolation: "default",
      StopGracePeriod: container.StopGracePeriod ?? 10 * secondNs,
      Mounts: container.Mounts?.map(mountMeaning),
      Privileges: privilegesMeaning(container.Privileges),
    },
  };
  const ports = endpoint?.Ports?.map(({ Protocol = "tcp", PublishMode = "ingress", ...rest }) => {
    return { ...rest, Protocol, PublishMode };
  });
  const published = { Mode: endpoint?.Mode ?? "vip", Ports: ports };
  return JSON.stringify(ordered([meaning, published, taskLabels(Labels), httpPort(Labels)])) ?? "";
}

const secondNs = 1_000_000_000;

function mountMeaning({ Type = "bind", Consistency, BindOptions: bind, ...rest }: Mount): object {
  return {
    ...rest,
    Type,
    // The other words are for other systems than Linux.
    Consistency: Consistency === "default" ? undefined : Consistency,
    // The engine's own default.
    BindOptions: {
      ...bind,
      Propagation: bind?.Propagation === "rprivate" ? undefined : bind?.Propagation,
    },
  };
}

function privilegesMeaning(privileges: Privileges = {}): object {
  const { Seccomp: seccomp, AppArmor: apparmor, ...rest } = privileges;
  const mode = seccomp?.Mode ?? "default";
  return {
    ...rest,
    Seccomp: {
      Mode: mode === "default" ? undefined : mode,
      Profile: mode === "custom" ? seccomp?.Profile : undefined,
    },
    AppArmor: { Mode: apparmor?.Mode === "disabled" ? "disabled" : undefined },
  };
}

/** Where zero, or false, does not mean the same as absent. */
const telling = new Set(["Delay", "Init", "MemorySwappiness", "StopGracePeriod", "SwapBytes"]);
/** Maps of texts, where an empty text is a value like any other. */
const maps = new Set(["DriverOpts", "Labels", "Options", "Sysctls"]);

/** Sorts keys and drops what means the same as absent. `within`: the field that the value is in. */
function ordered(value: unknown, within = ""): unknown {
  if (Array.isArray(value)) return value.map((one) => ordered(one) ?? null);
  if (typeof value !== "object" || value === null) return value;
  const kept: [string, unknown][] = [];
  const isMap = maps.has(within);
  for (const key of Object.keys(value).sort()) {
    const one = ordered((value as Record<string, unknown>)[key], key);
    const keeps = isMap ? one !== undefined && one !== null : !isNothing(one, key);
    if (keeps) kept.push([key, one]);
  }
  return Object.fromEntries(kept);
}

function isNothing(value: unknown, key: string): boolean {
  if (value === undefined || value === null || value === "") return true;
  if (value === false || value === 0) return !telling.has(key);
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.keys(value).length === 0;
}
