/** Fields: reads foreign JSON leniently. A value of another shape than expected counts as absent. */

export type Fields = Readonly<Record<string, unknown>>;

/** Returns: the fields of an object; none for any other value. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

/** Returns: the text; "" for any other value. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
