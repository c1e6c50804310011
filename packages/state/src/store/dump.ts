/**
 * Dump: the whole state as a value. Its bytes are a snapshot.
 *
 * Decides whether bytes are a state from which apply and the plans can continue: every object has its shape,
 * ids are unique, and nothing is newer than the state itself.
 */
import { type Check, check, decode, type NodeId, type ProposalId } from "@gam/core";
import { keeping, objectsMax } from "../checks/check-parts.ts";
import { aDialect, aMessage, anIndex } from "../checks/field-checks.ts";
import { type Outcome, type Rows, refusalCodes, type TableName } from "../log/change.ts";
import { lowestDialect } from "../log/dialect.ts";
import type { Cluster } from "../objects/cluster.ts";
import type { Happening } from "../objects/happening.ts";
import { inOwnSchema, schema } from "./dump-schema.ts";
import { checkHappenings } from "./event-history.ts";
import { type ListName, listNames, tables } from "./tables.ts";

/** The objects of each table, in order. */
export type Lists = { readonly [Name in ListName as `${Name}s`]: readonly Rows[Name][] };

export interface Dump extends Lists {
  readonly schema: number;
  readonly index: number;
  readonly dialect: number;
  readonly cluster: Cluster | undefined;
  readonly removed: readonly NodeId[];
  readonly outcomes: readonly (readonly [ProposalId, Outcome])[];
  readonly happenings?: readonly Happening[] | undefined;
}

/** Returns: the rows of a table. The cluster is a list of at most one. */
export function rowsOf<Name extends TableName>(dump: Dump, name: Name): readonly Rows[Name][] {
  const { cluster, ...lists } = dump;
  const rows = name === "cluster" ? [cluster ?? []].flat() : lists[`${name}s` as keyof Lists];
  return (rows ?? []) as readonly Rows[Name][];
}

const { id, list, literal, optional, struct, union, where } = check;

/** Returns: a check for a list in which no key of `keysOf` occurs twice. */
function once<T>(one: Check<T>, keysOf: (row: T) => readonly string[], wanted: string): Check<T[]> {
  return where(
    list(one, objectsMax),
    (rows) => {
      const keys = rows.flatMap(keysOf);
      return new Set(keys).size === keys.length;
    },
    wanted,
  );
}

const checkOutcome = union<Outcome>({
  applied: struct({ kind: literal("applied"), index: anIndex }),
  refused: struct({
    kind: literal("refused"),
    code: literal(...refusalCodes),
    message: aMessage,
  }),
});
const proposalId = id<ProposalId>();
const checkEntry: Check<readonly [ProposalId, Outcome]> = (value, path) => {
  const pair = Array.isArray(value) ? value : [];
  return [proposalId(pair[0], `${path}[0]`), checkOutcome(pair[1], `${path}[1]`)];
};

/** Lists that the snapshots of the first gams do not have. */
const newLists: ReadonlySet<ListName> = new Set(["volume"]);

const shape = struct({
  schema: literal(schema),
  index: anIndex,
  dialect: aDialect,
  cluster: optional(tables.cluster.check),
  ...listed((name) => checkList(name)),
  removed: once(id<NodeId>(), (one) => [one], "each removed node once"),
  outcomes: once(checkEntry, ([one]) => [one], "each proposal once"),
  happenings: checkHappenings,
});

/** Returns: one check for the list of each table. */
function listed(checkOf: (name: ListName) => Check<unknown>): Record<string, Check<unknown>> {
  const checks = listNames.map((name) => {
    const one = checkOf(name);
    return [`${name}s`, newLists.has(name) ? optional(one) : one] as const;
  });
  return Object.fromEntries(checks);
}

function checkList<Name extends ListName>(name: Name): Check<Rows[Name][]> {
  const { check, keysOf } = tables[name];
  return once<Rows[Name]>(check, keysOf, `each ${name} once, and no name, address or key twice`);
}

const checkDump: Check<Dump> = (value, path) => {
  const dump = shape(value, path) as unknown as Dump;
  check.integer(1, lowestDialect({ nodes: () => dump.nodes }))(dump.dialect, `${path}.dialect`);
  const newest = check.integer(0, dump.index);
  for (const name of listNames) {
    for (const [at, { Version }] of rowsOf(dump, name).entries()) {
      newest(Version.Index, `${path}.${name}s[${at}].Version.Index`);
    }
  }
  for (const [at, { Gam }] of dump.services.entries()) {
    newest(Gam.templateVersion, `${path}.services[${at}].Gam.templateVersion`);
  }
  return dump;
};

/** Returns: the state in the bytes of a snapshot. */
export function readDump(data: Uint8Array): Dump {
  return checkDump(inOwnSchema(decode(data)), "snapshot");
}

const rows = keeping({
  schema: literal(schema),
  index: anIndex,
  dialect: aDialect,
  cluster: optional(tables.cluster.parts),
  ...listed((name) => list(tables[name].parts, objectsMax)),
  removed: list(check.string(64), objectsMax),
  outcomes: list(checkEntry, objectsMax),
  happenings: checkHappenings,
});

/**
 * As readDump(), for this peer's own state: checks that rows have their parts, but not what the parts hold.
 * Errors: as readDump().
 */
export function readRows(data: Uint8Array): Dump {
  return rows(inOwnSchema(decode(data)), "snapshot") as Dump;
}
