/**
 * Engine need: which fields of a task need a newer engine than gam itself does.
 *
 * An older engine ignores such a field, or refuses the container. So the scheduler keeps these tasks away from it.
 *
 * Source: the history of the Docker Engine API, ContainerCreate.
 */
import type { Node } from "./node.ts";
import type { Mount, TaskSpec } from "./service.ts";

interface EngineNeed {
  /** Path in the TaskTemplate. */
  readonly field: string;
  /** The first release of Docker Engine that knows it. */
  readonly version: string;
}

function needsOf({ Type, BindOptions: bind, VolumeOptions, TmpfsOptions }: Mount): EngineNeed[] {
  const needs: readonly (readonly [field: string, version: string, isUsed: unknown])[] = [
    ["Type: image", "28.0", Type === "image"],
    ["BindOptions.CreateMountpoint", "23.0", bind?.CreateMountpoint],
    ["BindOptions.ReadOnlyNonRecursive", "25.0", bind?.ReadOnlyNonRecursive],
    ["BindOptions.ReadOnlyForceRecursive", "25.0", bind?.ReadOnlyForceRecursive],
    ["VolumeOptions.Subpath", "26.0", VolumeOptions?.Subpath],
    ["TmpfsOptions.Options", "27.0", TmpfsOptions?.Options],
  ];
  return needs.flatMap(([field, version, isUsed]) => (isUsed ? [{ field, version }] : []));
}

function needs({ ContainerSpec: container }: TaskSpec): EngineNeed[] {
  const mounts = (container.Mounts ?? []).flatMap((mount, index) => {
    const at = `ContainerSpec.Mounts[${index}]`;
    return needsOf(mount).map(({ field, version }) => ({ field: `${at}.${field}`, version }));
  });
  const interval = { field: "ContainerSpec.Healthcheck.StartInterval", version: "25.0" };
  return container.Healthcheck?.StartInterval ? [interval, ...mounts] : mounts;
}

function partsOf(version: string): [number, number] | undefined {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor)];
}

/** An engine whose version cannot be read counts as new: development builds have such versions. */
function isOlder(engine: string, version: string): boolean {
  const [has, wants] = [partsOf(engine), partsOf(version)];
  if (has === undefined || wants === undefined) return false;
  return has[0] === wants[0] ? has[1] < wants[1] : has[0] < wants[0];
}

/** Returns: what a node's engine is too old for; undefined if it knows every field. */
export function engineTooOld(spec: TaskSpec, node: Node): string | undefined {
  const engine = node.Description.Engine.EngineVersion;
  const need = needs(spec).find(({ version }) => isOlder(engine, version));
  return need && `TaskTemplate.${need.field} needs Docker Engine ${need.version} or newer`;
}
