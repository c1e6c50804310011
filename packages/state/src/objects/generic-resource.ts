/**
 * Generic resources: what a host has beside CPU and memory, as somebody counted it (SSD=3) or named it (GPU=a,
 * GPU=b).
 *
 * A task reserves a number of a kind. If the node's are named, the task gets names, and each name goes to one
 * task.
 *
 * Source: Swarm's generic resources.
 */
import { GamError } from "@gam/core";
import type { GenericResource } from "./node.ts";

/** Returns: the kind of a resource, and how many it stands for. A named resource is one of its kind. */
export function kindAndCount(resource: GenericResource): readonly [kind: string, count: number] {
  const { NamedResourceSpec: named, DiscreteResourceSpec: discrete } = resource;
  return named === undefined ? [discrete?.Kind ?? "", discrete?.Value ?? 0] : [named.Kind, 1];
}

/**
 * Returns: what a task gets of a node's resources. `held` are those of the other tasks there. Assumes that enough
 *         are free; a name that is missing nevertheless is left out.
 */
export function claimResources(
  reserved: readonly (readonly [kind: string, count: number])[],
  has: readonly GenericResource[],
  held: readonly GenericResource[],
): GenericResource[] {
  const taken = new Set(held.map(({ NamedResourceSpec: named }) => named && nameOf(named)));
  return reserved.flatMap(([Kind, Value]): GenericResource[] => {
    if (Value === 0) return [];
    const named = has.filter(({ NamedResourceSpec: one }) => one?.Kind === Kind);
    if (named.length === 0) return [{ DiscreteResourceSpec: { Kind, Value } }];
    return named
      .filter(({ NamedResourceSpec: one }) => one && !taken.has(nameOf(one)))
      .slice(0, Value);
  });
}

const nameOf = ({ Kind, Value }: { readonly Kind: string; readonly Value: string }): string =>
  `${Kind}=${Value}`;

/** Returns: the environment variables that tell a container what it got. */
export function resourceEnv(resources: readonly GenericResource[]): string[] {
  const values = new Map<string, (string | number)[]>();
  for (const { NamedResourceSpec: named, DiscreteResourceSpec: discrete } of resources) {
    const { Kind, Value } = named ?? discrete ?? { Kind: "", Value: 0 };
    values.set(Kind, [...(values.get(Kind) ?? []), Value]);
  }
  return [...values]
    .map(([kind, all]) => `${`DOCKER_RESOURCE_${kind}`.toUpperCase()}=${all.join(",")}`)
    .sort();
}

const countMax = 2 ** 53 - 1;

/**
 * Reads `KIND=VALUE,KIND=VALUE`, as `node-generic-resources` of the Docker daemon.
 *
 * Errors: GamError BAD_REQUEST in Swarm's words.
 */
export function parseGenericResources(text: string): GenericResource[] {
  const values = new Map<string, string[]>();
  for (const term of text.split(",").filter((one) => one.trim() !== "")) {
    const [kind = "", value, ...more] = term.split("=").map((one) => one.trim());
    if (value === undefined || more.length > 0 || kind === "" || value === "") {
      refuse(`incorrect term ${term.trim()}, missing '=' or malformed expression`);
    }
    values.set(kind, [...(values.get(kind) ?? []), value]);
  }
  return [...values].flatMap(([Kind, all]): GenericResource[] => {
    const counted = all.filter((value) => /^[+-]?\d+$/.test(value));
    if (counted.length === 0) {
      return [...new Set(all)].map((Value) => ({ NamedResourceSpec: { Kind, Value } }));
    }
    if (all.length > 1)
      refuse(`mixed discrete and named resources in expression '${Kind}=[${all.join(" ")}]'`);
    const Value = Number(all[0]);
    if (Value < 0) refuse(`cannot ask for negative resource ${Kind}`);
    if (Value > countMax) refuse(`too many of resource ${Kind}: ${all[0]}`);
    return [{ DiscreteResourceSpec: { Kind, Value } }];
  });
}

function refuse(message: string): never {
  throw new GamError("BAD_REQUEST", `could not parse GenericResource: ${message}`);
}

/** Returns: the resources of both, where those of `over` replace all others of their kinds. */
export function withResources(
  base: readonly GenericResource[],
  over: readonly GenericResource[],
): GenericResource[] {
  const replaced = new Set(over.map((one) => kindAndCount(one)[0]));
  return [...base.filter((one) => !replaced.has(kindAndCount(one)[0])), ...over];
}
