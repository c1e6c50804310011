/**
 * Container labels: turns keys of a service that Swarm's API has no field for into labels that gam obeys
 * (`gam.container.…`), and reserved GPUs into generic resources.
 *
 * The docker client ignores these keys. Does not decide which values are valid: judge.ts asks the rules of the labels.
 */
import { gpuKind } from "@gam/state";
import { networkHost } from "./pods.ts";
import type { ServiceBody } from "./service-spec.ts";
import type { DeviceEntry, GpuEntry } from "./shape/device.ts";
import type { ServiceEntry } from "./shape/service-shape.ts";
import type { SpecContext } from "./stack-names.ts";

const prefix = "gam.container.";

/** Returns: the spec with what these keys ask for. */
export function withContainerKeys(
  body: ServiceBody,
  service: ServiceEntry,
  context: SpecContext,
): ServiceBody {
  const gpus = gpusOf(service, context);
  const found = { ...labelsOf(service, context), ...gpus?.labels };
  const twice = Object.keys(found).find((name) => body.Labels?.[name] !== undefined);
  if (twice !== undefined) {
    const message = `found the label "${twice}" and the key that it stands for: remove one of the two`;
    context.errors.push({ at: service.at, message });
  }
  const Labels = { ...body.Labels, ...found };
  if (gpus === undefined) return Object.keys(found).length === 0 ? body : { ...body, Labels };
  const { TaskTemplate: task } = body;
  const { Reservations } = task.Resources ?? {};
  const reserved = { DiscreteResourceSpec: { Kind: gpuKind, Value: gpus.count } };
  const GenericResources = [...(Reservations?.GenericResources ?? []), reserved];
  const Resources = { ...task.Resources, Reservations: { ...Reservations, GenericResources } };
  return { ...body, Labels, TaskTemplate: { ...task, Resources } };
}

function labelsOf(service: ServiceEntry, context: SpecContext): Record<string, string> {
  const { privileged, devices, device_cgroup_rules: rules, security_opt: security } = service;
  const texts: Readonly<Record<string, string | undefined>> = {
    network: networkOf(service, context),
    privileged: privileged ? "true" : undefined,
    devices: devices?.map(deviceOf).join(","),
    device_cgroup_rules: rules?.join(","),
    pid: service.pid,
    ipc: service.ipc,
    uts: service.uts,
    userns: service.userns_mode,
    cgroup: service.cgroup,
    cgroup_parent: service.cgroup_parent,
    security_opt: security?.join(","),
    shm_size: service.shm_size === undefined ? undefined : String(service.shm_size),
    runtime: service.runtime,
  };
  return Object.fromEntries(
    Object.entries(texts).flatMap(([key, value]) => (value ? [[prefix + key, value]] : [])),
  );
}

function deviceOf(device: string | DeviceEntry): string {
  if (typeof device === "string") return device;
  const { source = "", target, permissions } = device;
  return [source, target, permissions].filter(Boolean).join(":");
}

/** The host's network is one of the engine's networks: network-spec.ts. */
function networkOf(
  { network_mode: mode, networks = {} }: ServiceEntry,
  context: SpecContext,
): string | undefined {
  if (mode === undefined) return undefined;
  if (Object.keys(networks).length > 0) {
    const message = 'found "networks" and "network_mode": remove one of the two';
    context.errors.push({ at: mode.at, message });
  }
  if (mode.value === "host") return undefined;
  if (mode.value === "none") return "none";
  // A part of a pod: pods.ts.
  if (networkHost(mode.value) !== undefined) return undefined;
  const message = `network_mode "${mode.value}" is not supported: use host, none or service:NAME, or list networks`;
  context.errors.push({ at: mode.at, message });
  return undefined;
}

/** All entries are about the same kind of resource, so their numbers are added. */
function gpusOf(
  service: ServiceEntry,
  context: SpecContext,
): { readonly count: number; readonly labels: Readonly<Record<string, string>> } | undefined {
  const entries = [
    ...(service.deploy?.resources?.reservations?.devices ?? []),
    ...(service.gpus ?? []),
  ];
  if (entries.length === 0) return undefined;
  const isWhole = entries.some(({ count }) => count === "all");
  let count = 0;
  const capabilities = new Set<string>(["gpu"]);
  for (const entry of entries) {
    const problem = problemOf(entry, service.gpus?.includes(entry) === true);
    if (problem === undefined) count += entry.count === "all" ? 1 : Number(entry.count ?? 1);
    else context.errors.push({ at: entry.at, message: problem });
    for (const one of entry.capabilities ?? []) capabilities.add(one);
  }
  const all: Record<string, string> = isWhole ? { [`${prefix}gpus.all`]: "true" } : {};
  return { count, labels: { [`${prefix}gpus`]: [...capabilities].join(","), ...all } };
}

function problemOf(entry: GpuEntry, isGpu: boolean): string | undefined {
  const { capabilities = [], count = "1", driver, device_ids: ids } = entry;
  if (!isGpu && !capabilities.includes("gpu")) {
    return 'only GPUs can be reserved: write "capabilities: [gpu]", or reserve generic_resources';
  }
  if (driver !== undefined && driver !== "" && driver !== "nvidia") {
    return `driver "${driver}" is not supported: use nvidia, or reserve generic_resources`;
  }
  if (ids !== undefined && ids.length > 0) {
    return '"device_ids" is not supported: write a count, and gam picks free GPUs of a host';
  }
  if (/^[1-9]\d{0,3}$|^all$/.test(count)) return undefined;
  return `count "${count}" is not supported: write how many GPUs a task needs, from 1, or all`;
}
