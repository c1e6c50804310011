/**
 * Constraint: which nodes a service wants, in Swarm's grammar: `KEY == VALUE` or `KEY != VALUE`.
 *
 * Decides what an expression means and whether a node meets it. The error texts are Swarm's, because clients
 * show them unchanged. An unknown key is not an error, as in Swarm: no node meets it, and the waiting task says
 * so.
 */
import { GamError } from "@gam/core";
import { isInside } from "./addresses/cidr.ts";
import type { Node } from "./node.ts";

export interface Constraint {
  readonly key: string;
  readonly operator: "==" | "!=";
  readonly value: string;
}

const operators = ["==", "!="] as const;
const keyPattern = /^[a-z_][a-z0-9\-_.]+$/i;
const valuePattern = /^[a-z0-9:\-_\s.*()?+[\]\\^$|/]+$/i;

/** Errors: BAD_REQUEST, with the reason in Swarm's words. */
export function parseConstraint(text: string): Constraint {
  for (const operator of operators) {
    const at = text.indexOf(operator);
    if (at < 0) continue;
    const key = text.slice(0, at).trim();
    const value = text.slice(at + operator.length).trim();
    if (!keyPattern.test(key)) throw new GamError("BAD_REQUEST", `key '${key}' is invalid`);
    if (!valuePattern.test(value)) throw new GamError("BAD_REQUEST", `value '${value}' is invalid`);
    return { key, operator, value };
  }
  const wanted = operators.join(", ");
  throw new GamError("BAD_REQUEST", `constraint expected one operator from ${wanted}`);
}

/** Returns: undefined when one of them cannot be parsed; then no node meets them. */
export function readConstraints(
  texts: readonly string[] | undefined,
): readonly Constraint[] | undefined {
  try {
    return (texts ?? []).map(parseConstraint);
  } catch (thrown) {
    if (thrown instanceof GamError) return undefined;
    throw thrown;
  }
}

/** Whether the node meets all of them. An absent label equals no value, so `!=` holds for it. */
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

/** Returns: undefined for a label that the node lacks; null for a key that does not exist. */
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
