/**
 * Dump schema: in which form a snapshot is written, and how other forms are read.
 *
 * Decides which schemas this gam knows. A snapshot with another schema is converted step by step, by the table
 * below. Optional fields do not need a new schema: a dialect of the log covers them (dialect.ts). A new schema
 * takes two releases (docs/releasing.md).
 */
import { GamError } from "@gam/core";

/** The schema of the snapshots that this gam writes. */
export const schema = 3;

type Rows = Readonly<Record<string, unknown>>;

/** A conversion to another schema. It may also go back, to read what the next release writes. */
export interface SchemaStep {
  readonly to: number;
  readonly step: (dump: Rows) => Rows;
}

const steps: Readonly<Record<number, SchemaStep>> = {
  // Schema 3 added the dialect of the log. Earlier logs needed only the first one.
  2: { to: 3, step: (dump) => ({ ...dump, dialect: 1 }) },
};

/**
 * Returns: the same state in this gam's schema. A value that is not a dump is returned unchanged, for a check
 *         to report.
 *
 * Errors: NOT_SUPPORTED for a newer schema.
 */
export function inOwnSchema(value: unknown, table = steps, own = schema): unknown {
  let dump = value as Rows;
  for (;;) {
    const found = isRows(dump) ? dump.schema : undefined;
    if (typeof found !== "number" || found === own) return dump;
    const next = table[found];
    if (next === undefined) {
      insistOnKnown(found, own);
      return dump;
    }
    dump = { ...next.step(dump), schema: next.to };
  }
}

/**
 * Checks only the schema, which is the first field of a dump. Lets a start refuse a disk before it changes
 * anything there.
 *
 * Errors: NOT_SUPPORTED for a newer schema.
 */
export function insistOnSchema(data: Uint8Array): void {
  const found = schemaOf(data);
  if (found !== undefined && steps[found] === undefined) insistOnKnown(found, schema);
}

function insistOnKnown(found: number, own: number): void {
  if (found <= own) return;
  throw new GamError(
    "NOT_SUPPORTED",
    `Cannot read snapshot: a newer gam has written it (schema ${found}, and this gam reads up to ${own}). ` +
      "Upgrade gam on this host",
  );
}

function isRows(value: unknown): value is Rows {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** MessagePack heads: a map of up to 15 fields, or of more. The name is a text of 6 letters. */
const mapHeads: readonly { readonly is: (byte: number) => boolean; readonly length: number }[] = [
  { is: (byte) => byte >= 0x80 && byte <= 0x8f, length: 1 },
  { is: (byte) => byte === 0xde, length: 3 },
  { is: (byte) => byte === 0xdf, length: 5 },
];
const name = [0xa6, ...new TextEncoder().encode("schema")];
/** The largest integer that MessagePack stores in one byte. Enough for schemas for a long time. */
const integerMax = 0x7f;

function schemaOf(data: Uint8Array): number | undefined {
  const start = mapHeads.find(({ is }) => is(data[0] ?? 0))?.length;
  if (start === undefined || name.some((byte, at) => data[start + at] !== byte)) return undefined;
  const found = data[start + name.length];
  return found === undefined || found > integerMax ? undefined : found;
}
