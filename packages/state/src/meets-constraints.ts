/**
 * Whether a node is one of those that a service wants.
 *
 * A key that nobody knows is not an error, as in Swarm: no node meets it, and the task that waits says
 * so. An absent label equals nothing, so `!=` holds for it.
 */
import { isInside } from "./cidr.ts";
import { type Constraint, parseConstraint } from "./constraint.ts";
import type { Node } from "./node.ts";

/** `undefined` when one of them cannot be read: then no node meets them. */
export function readConstraints(
  texts: readonly string[] | undefined,
): readonly Constraint[] | undefined {
  const constraints: Constraint[] = [];
  for (const text of texts ?? []) {
    const constraint = parseConstraint(text);
    if ("error" in constraint) return undefined;
    constraints.push(constraint);
  }
  return constraints;
}

/** All of them hold for the node. */
export function meetsConstraints(
  constraints: readonly Constraint[] | undefined,
  node: Node,
): boolean {
  return constraints?.every((constraint) => meets(constraint, node)) ?? false;
}

function meets({ key, operator, value }: Constraint, node: Node): boolean {
  const name = key.toLowerCase();
  const wanted = operator === "==";
  if (name === "node.ip") return isInside(node.Status.Addr, value) === wanted;
  const found = property(name, key, node);
  if (found === null) return false;
  return (found?.toLowerCase() === value.toLowerCase()) === wanted;
}

/** `undefined` for a label that the node lacks, `null` for a key that does not exist. */
function property(name: string, key: string, node: Node): string | undefined | null {
  switch (name) {
    case "node.id":
      return node.ID;
    case "node.hostname":
      return node.Description.Hostname;
    case "node.role":
      return node.Spec.Role;
    case "node.platform.os":
      return node.Description.Platform.OS;
    case "node.platform.arch":
      return node.Description.Platform.Architecture;
  }
  for (const [prefix, labels] of [
    ["node.labels.", node.Spec.Labels],
    ["engine.labels.", node.Description.Engine.Labels],
  ] as const) {
    if (!name.startsWith(prefix)) continue;
    const label = key.slice(prefix.length);
    return Object.hasOwn(labels, label) ? labels[label] : undefined;
  }
  return null;
}
