import { ApiError } from "./api-error.ts";

export interface Naming<Row> {
  /** The word in error messages: "node", "service", "task", "network". */
  readonly kind: string;
  readonly id: (row: Row) => string;
  readonly names: (row: Row) => readonly string[];
}

/**
 * Returns: the object with this whole id, else with this exact name, else with this beginning of its id.
 *
 * Errors: ApiError 404 for none, 400 for several.
 */
export function resolve<Row>(ref: string, rows: readonly Row[], naming: Naming<Row>): Row {
  const found = find(ref, rows, naming);
  if (found === undefined) throw new ApiError(404, `${naming.kind} ${ref} not found`);
  return found;
}

/** Like resolve(), but returns undefined for none. */
export function find<Row>(ref: string, rows: readonly Row[], naming: Naming<Row>): Row | undefined {
  if (ref === "") return undefined;
  const byId = rows.find((row) => naming.id(row) === ref);
  if (byId !== undefined) return byId;
  const byName = rows.filter((row) => naming.names(row).includes(ref));
  const matches = byName.length > 0 ? byName : rows.filter((row) => naming.id(row).startsWith(ref));
  if (matches.length > 1) {
    const message = `${naming.kind} ${ref} is ambiguous (${matches.length} matches found)`;
    throw new ApiError(400, message);
  }
  return matches[0];
}
