/**
 * Overlay: merges several stack files into one. A later file overrides the earlier ones.
 *
 * Maps are merged key by key, lists are joined, everything else is replaced. Exceptions: a later file
 * replaces commands as a whole, ports by published port, volumes by target, and log options by driver.
 * Source: the docker client's merge of `-c one.yml -c two.yml`. Where the client joins the words of two
 * health checks or loses half of a network: the Compose specification.
 */
import type { PortConfig } from "@gam/state";
import type { File } from "./file.ts";
import type { Volume } from "./volume.ts";

export function overlay(files: readonly File[]): File | undefined {
  const [first, ...rest] = files;
  return rest.reduce<File | undefined>((base, over) => merge(base, over, "") as File, first);
}

/** Keys whose value a later file replaces as a whole. */
const replaced = new Set(["command", "entrypoint", "test", "aliases", "at"]);

function merge(base: unknown, over: unknown, key: string): unknown {
  if (over === undefined) return base;
  if (base === undefined || replaced.has(key)) return over;
  if (Array.isArray(base) && Array.isArray(over)) {
    if (key === "ports") return mergePorts(base, over);
    if (key === "volumes") return mergeVolumes(base, over);
    return [...base, ...over];
  }
  if (!isMap(base) || !isMap(over)) return over;
  if (key === "logging" && base.driver && over.driver && base.driver !== over.driver) return over;
  const result: Record<string, unknown> = { ...base };
  for (const [inner, value] of Object.entries(over)) {
    result[inner] = key === "ulimits" ? value : merge(base[inner], value, inner);
  }
  return result;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mergePorts(base: readonly PortConfig[], over: readonly PortConfig[]): PortConfig[] {
  const byPublished = new Map<string, PortConfig>();
  for (const port of [...base, ...over]) {
    // Ports that the cluster chooses do not replace each other.
    const key = port.PublishedPort ?? `any ${port.TargetPort}`;
    byPublished.set(`${key}/${port.Protocol ?? "tcp"}`, port);
  }
  return [...byPublished.values()];
}

function mergeVolumes(base: readonly Volume[], over: readonly Volume[]): Volume[] {
  const byTarget = new Map([...base, ...over].map((volume) => [volume.target, volume]));
  return [...byTarget.values()].sort((a, b) => (a.target < b.target ? -1 : 1));
}
