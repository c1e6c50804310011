/**
 * Whether two values are equal: plain objects, lists, bytes and primitive values.
 *
 * Shape: the order of an object's keys does not count, and a key with `undefined` counts as absent. The
 *        order of a list counts.
 */
export function sameValue(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object") return false;
  if (one === null || other === null) return false;
  if (one instanceof Uint8Array || other instanceof Uint8Array) {
    if (!(one instanceof Uint8Array && other instanceof Uint8Array)) return false;
    return one.length === other.length && one.every((byte, at) => byte === other[at]);
  }
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!(Array.isArray(one) && Array.isArray(other))) return false;
    return one.length === other.length && one.every((item, at) => sameValue(item, other[at]));
  }
  const fields = new Map<string, unknown>(Object.entries(other));
  for (const [key, value] of Object.entries(one)) {
    if (!sameValue(value, fields.get(key))) return false;
    fields.delete(key);
  }
  return [...fields.values()].every((value) => value === undefined);
}
