/** Fields of JSON that is not gam's own: what has another shape than expected counts as absent. */

export type Fields = Readonly<Record<string, unknown>>;

/** Those of an object; none of anything else. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

/** "" for what is no text. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
