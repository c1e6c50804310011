import { ApiError } from "./api-error.ts";

export interface Naming<Row> {
  /** As errors call it: "node", "service", "task", "network". */
  readonly kind: string;
  readonly id: (row: Row) => string;
  readonly names: (row: Row) => readonly string[];
}

/**
 * The one object that a reference means: by its whole id, else by its exact name, else by the
 * beginning of its id.
 *
 * Errors: ApiError 404 for none, 400 for several.
 */
export function resolve<Row>(ref: string, rows: readonly Row[], naming: Naming<Row>): Row {
  const found = find(ref, rows, naming);
  if (found === undefined) throw new ApiError(404, `${naming.kind} ${ref} not found`);
  return found;
}

/** As resolve(), but none is an answer. */
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
