/** Comparable: specs without what each deployment makes anew, and what two of them say differently. */
import { sameValue } from "@gam/core";
import type { ServiceSpec } from "@gam/state";
import { isMap } from "./plain.ts";
import { imageLabel } from "./stack-names.ts";

const stackPrefix = "com.docker.stack.";

/** Lists whose order has no meaning. Stack files are read into sorted ones. */
const unordered = new Set(["Env", "CapabilityAdd", "CapabilityDrop", "Ulimits", "Ports"]);

function inOrder(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => inOrder(item));
    return unordered.has(key) ? items.map((item) => canonical(item)).sort() : items;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, inOrder(item, name)]),
  );
}

interface NamesAround {
  /** The stack's. */
  readonly name: string;
  readonly networks: readonly { readonly id: string; readonly name: string }[];
}

/** Without what each deployment makes anew. Networks, secrets and configs are by name. */
export function comparable(spec: object, { name, networks }: NamesAround): unknown {
  const { TaskTemplate: task = {}, Labels, ...rest } = spec as Partial<ServiceSpec>;
  const own = rest.Name?.slice(name.length + 1);
  const {
    ContainerSpec,
    Placement,
    ForceUpdate: _,
    Runtime: __,
    ...other
  } = task as Partial<ServiceSpec["TaskTemplate"]> & { readonly Runtime?: string };
  const { Platforms: ___, ...placement } = Placement ?? {};
  const nameOf = (target: string): string =>
    networks.find(({ id }) => id === target)?.name ?? target;
  const used = [...(other.Networks ?? rest.Networks ?? [])].map((one) => ({
    ...one,
    Target: nameOf(one.Target),
    // A deployment adds this name to the others.
    Aliases: one.Aliases?.filter((alias) => alias !== own),
  }));
  const whole = {
    ...rest,
    Networks: undefined,
    Labels: ownLabels(Labels),
    TaskTemplate: {
      ...other,
      Networks: used.sort((a, b) => (a.Target < b.Target ? -1 : 1)),
      Placement: placement,
      ContainerSpec: {
        ...ContainerSpec,
        Labels: ownLabels(ContainerSpec?.Labels),
        Secrets: byName(
          ContainerSpec?.Secrets?.map(({ SecretID: _id, ...use }) => [use.SecretName, use]),
        ),
        Configs: byName(
          ContainerSpec?.Configs?.map(({ ConfigID: _id, ...use }) => [use.ConfigName, use]),
        ),
        Mounts: ContainerSpec?.Mounts?.map(({ VolumeOptions, ...mount }) => ({
          ...mount,
          VolumeOptions: { ...VolumeOptions, Labels: ownLabels(VolumeOptions?.Labels) },
        })),
      },
    },
  };
  return inOrder(essence(whole));
}

/** Without those that a deployment of a stack writes itself. */
export function ownLabels(
  labels: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const kept = Object.entries(labels ?? {}).filter(
    ([name]) => name !== imageLabel && !name.startsWith(stackPrefix),
  );
  return Object.fromEntries(kept);
}

function byName(uses: readonly (readonly [string, object])[] | undefined): object[] {
  return [...(uses ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, use]) => use);
}

/** The value without what means the same as its absence: null, false, zero, and empty texts, lists and maps. */
export function essence(value: unknown): unknown {
  if (value === null || value === false || value === 0 || value === "") return undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(item);
  if (typeof value !== "object") return value;
  const kept = Object.entries(value as object).flatMap(([key, inner]) => {
    const found = essence(inner);
    return found === undefined ? [] : [[key, found]];
  });
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

/** An entry of a list stays, whatever it is. */
function item(value: unknown): unknown {
  return essence(value) ?? value;
}

/** Paths of what is in one and not, or not the same, in the other. Both are an essence(). */
export function differences(one: unknown, other: unknown, path = ""): string[] {
  if (isMap(one) && isMap(other)) {
    const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
    return keys.flatMap((key) => differences(one[key], other[key], path ? `${path}.${key}` : key));
  }
  return sameValue(one, other) ? [] : [path];
}

/** The same text for values that are the same. */
function canonical(value: unknown): string {
  return JSON.stringify(sorted(value)) ?? "";
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMap(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}
