/**
 * Whether a value is a proposal that apply() can take and that plans can be made from.
 *
 * If one log entry crashed one peer, it would crash every peer, again and again. So every peer checks each
 * proposal in full before it enters a log, and again when it is read from one: its own proposals, those of
 * other peers, and those of the leader's plans. The shapes of changes are defined beside those of the objects
 * (check-node.ts and so on), by which snapshots are checked.
 *
 * The result has only known fields, in their one stored form. It is the same on every peer, and it is what gets
 * applied.
 */
import { type Check, check, decode, GamError, type ProposalId } from "@gam/core";
import { aDialect, aMoment } from "../checks/field-checks.ts";
import type { Change, Proposal } from "../log/change.ts";
import {
  type Dialect,
  dialectOfChange,
  dialectOfChanges,
  dialectOfProposal,
  spokenDialect,
} from "../log/dialect.ts";
import { tables } from "./tables.ts";

const changesMax = 20_000;
const { id, literal, optional, struct } = check;

const changes = new Map(
  Object.values(tables)
    .flatMap(({ fields }) => Object.entries(fields))
    .map(([kind, fields]) => [kind, struct({ kind: literal(kind), ...fields })] as const),
);

/**
 * Results of the check, which need no second one. A leader checks a change when it arrives and when it writes
 * it; a peer checks its own when it asks and when it sends. Nobody modifies a change.
 */
const sound = new WeakSet<object>();

export const checkChange: Check<Change> = (value, path) => {
  if (typeof value === "object" && value !== null && sound.has(value)) return value as Change;
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : "";
  const checkKind = typeof kind === "string" ? changes.get(kind) : undefined;
  if (checkKind === undefined) {
    const shown = typeof kind === "string" ? JSON.stringify(kind.slice(0, 40)) : typeof kind;
    throw new GamError("BAD_FRAME", `Cannot read ${path}.kind: ${shown} is no change`);
  }
  const change = checkKind(value, path) as unknown as Change;
  sound.add(change);
  return change;
};

/** A proposal with unchecked changes: the part that is the same in every dialect. */
export type Envelope = Omit<Proposal, "changes"> & { readonly changes: readonly unknown[] };

const head = { id: id<ProposalId>(), atMs: aMoment, dialect: optional(aDialect) };

/** Errors: BAD_FRAME. */
export const checkEnvelope: Check<Envelope> = check.object({
  ...head,
  changes: check.list((change) => change, changesMax),
});

/** Errors: BAD_FRAME, with the path of the field that is wrong. */
export const checkProposal: Check<Proposal> = check.object({
  ...head,
  changes: check.list(checkChange, changesMax),
});

/**
 * Returns: the proposal as a gam that speaks `dialect` reads it. If it needs a newer dialect, it has no
 *         changes: its dialect alone decides what happens to it.
 *
 * Errors: BAD_FRAME, with the path of the wrong field; also for changes that need a newer dialect than the
 *         proposal says.
 */
export function readEnvelope(envelope: Envelope, path: string, dialect = spokenDialect): Proposal {
  const said = dialectOfProposal(envelope);
  if (said > dialect.newest) return { ...envelope, changes: [] };
  const proposal = checkProposal(envelope, path);
  const needed = insistOnDialect(proposal.changes, path, dialect);
  if (needed <= said) return proposal;
  throw new GamError(
    "BAD_FRAME",
    `Cannot read ${path}: it says dialect ${said}, and its changes need ${needed}`,
  );
}

/**
 * Returns: the dialect that these changes need. Errors: BAD_FRAME for a change that a gam of `dialect` does not
 *         know.
 */
export function insistOnDialect(
  changes: readonly Change[],
  path: string,
  dialect: Dialect,
): number {
  const needed = dialectOfChanges(changes, dialect);
  if (needed <= dialect.newest) return needed;
  const unknown = changes.find((change) => dialectOfChange(change, dialect) > dialect.newest);
  throw new GamError("BAD_FRAME", `Cannot read ${path}.kind: "${unknown?.kind}" is no change`);
}

/** As readEnvelope(), from the bytes of a log entry. */
export function readProposal(data: Uint8Array, dialect = spokenDialect): Proposal {
  return readEnvelope(checkEnvelope(decode(data), "entry"), "entry", dialect);
}
