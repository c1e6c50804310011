/**
 * Overlay: merges several stack files into one. A later file overrides the earlier ones.
 *
 *   key                                               the later file
 *   services                                          are merged by name, key by key
 *   networks, volumes, secrets, configs (top level)   replaces the whole entry of that name
 *   environment, labels, sysctls, driver_opts …       adds and replaces single entries
 *   command, entrypoint, healthcheck.test, aliases    replaces the whole list
 *   ports                                             replaces the port with the same published port and protocol
 *   volumes of a service                              replaces the mount with the same target
 *   secrets, configs of a service                     replaces the references with the same source
 *   ulimits                                           replaces the limits of that name
 *   logging                                           replaces everything if its driver differs
 *   other lists                                       are appended
 *   texts, numbers, true and false                    replaces the value
 *
 * Mounts are sorted by target if the first of two files has some for the service. `!reset` and `!override` remove a key first.
 * Source: the docker client's merge of `-c one.yml -c two.yml`. Where it loses something, the Compose
 * specification: the client joins the words of two health checks, keeps `true` where a later file says `false`,
 * and keeps one of several ports without a published port.
 */
import type { PortConfig } from "@gam/state";
import { isMap } from "./plain.ts";
import { entryOf } from "./reading/entry-of.ts";
import { type Path, without } from "./reading/marks.ts";
import type { File, ReadFile } from "./shape/file.ts";
import type { FileReference } from "./shape/file-object.ts";
import type { ServiceEntry } from "./shape/service-shape.ts";
import type { Volume } from "./shape/volume.ts";

/** Returns: one file of all; `undefined` for none. */
export function overlay(files: readonly ReadFile[]): File | undefined {
  const [first, ...rest] = files;
  return rest.reduce<File | undefined>(
    (base, { file, cleared }) => (base === undefined ? file : mergeFiles(base, file, cleared)),
    first?.file,
  );
}

function mergeFiles(base: File, over: File, cleared: readonly Path[]): File {
  const kept = cleared.reduce<File>((file, path) => without(file, path), base);
  const services = { ...kept.services };
  for (const [name, service] of Object.entries(over.services ?? {})) {
    const before = entryOf(services, name);
    services[name] = before === undefined ? service : mergeServices(before, service);
  }
  return {
    ...kept,
    services,
    networks: { ...kept.networks, ...over.networks },
    volumes: { ...kept.volumes, ...over.volumes },
    secrets: { ...kept.secrets, ...over.secrets },
    configs: { ...kept.configs, ...over.configs },
  };
}

/** Returns: the service with what `over` says, as one of two files or by `extends`. */
export function mergeServices(base: ServiceEntry, over: ServiceEntry): ServiceEntry {
  const merged = merge(base, over, "") as ServiceEntry;
  const { volumes } = base;
  return volumes && merged.volumes ? { ...merged, volumes: mergeVolumes(merged.volumes) } : merged;
}

/** Keys whose value a later file replaces as a whole. */
const replaced = new Set(["command", "entrypoint", "test", "aliases", "at", "image", "restart"]);

function merge(base: unknown, over: unknown, key: string): unknown {
  if (over === undefined) return base;
  if (base === undefined || replaced.has(key)) return over;
  if (Array.isArray(base) && Array.isArray(over)) {
    if (key === "secrets" || key === "configs") return mergeReferences(base, over);
    const all = [...base, ...over];
    return key === "ports" ? mergePorts(all) : all;
  }
  if (!isMap(base) || !isMap(over)) return over;
  if (key === "logging" && base.driver && over.driver && base.driver !== over.driver) return over;
  const result: Record<string, unknown> = { ...base };
  for (const [inner, value] of Object.entries(over)) {
    result[inner] = key === "ulimits" ? value : merge(entryOf(base, inner), value, inner);
  }
  return result;
}

function mergePorts(ports: readonly PortConfig[]): PortConfig[] {
  const byPublished = new Map<string, PortConfig>();
  for (const port of ports) {
    // Ports that the cluster chooses do not replace each other.
    const key = port.PublishedPort ?? `any ${port.TargetPort}`;
    byPublished.set(`${key}/${port.Protocol ?? "tcp"}`, port);
  }
  return [...byPublished.values()];
}

function mergeVolumes(volumes: readonly Volume[]): Volume[] {
  const byTarget = new Map(volumes.map((volume) => [volume.target, volume]));
  return [...byTarget.values()].sort((a, b) => (a.target < b.target ? -1 : 1));
}

function mergeReferences(
  base: readonly FileReference[],
  over: readonly FileReference[],
): FileReference[] {
  const later = new Set(over.map(({ source }) => source));
  return [...base.filter(({ source }) => !later.has(source)), ...over];
}
