/** Refusal: reasons to refuse changes of any kind of object. The messages are Swarm's. */
import type { Refusal } from "../log/change.ts";

/** The asker generates the id, and a new object must not replace an existing one. */
export function takenId(object: unknown, name: string): Refusal | undefined {
  return object === undefined ? undefined : { code: "IN_USE", message: `${name} already exists` };
}

export function stale(
  object: { readonly Version: { readonly Index: number } } | undefined,
  basedOn: number,
  name: string,
): Refusal | undefined {
  if (object === undefined) return missing(object, name);
  if (object.Version.Index === basedOn) return undefined;
  return { code: "STALE_VERSION", message: "update out of sequence" };
}

export function missing(object: unknown, name: string): Refusal | undefined {
  return object === undefined ? { code: "NOT_FOUND", message: `${name} not found` } : undefined;
}
