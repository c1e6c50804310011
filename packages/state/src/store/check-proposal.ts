/**
 * Whether a value is a proposal that apply() can take and that plans can be made from.
 *
 * An entry of the log over which one peer stumbles all of them would stumble over, again and again. So every
 * peer checks each proposal in full before it enters a log, and once more when it comes out of one: its own,
 * those of other peers, and those of the leader's plans. The shapes of changes stand beside those of the objects
 * (check-node.ts and so on), which snapshots are checked by.
 *
 * What comes back has only known fields, in the one form in which they are stored. It is the same on every peer,
 * and it is what is applied.
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
 * What came out of the check. A leader meets a change when it arrives and when it writes it down, a peer meets
 * its own when it asks and when it sends. Nobody writes into a change.
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

/** A proposal whose changes were not looked at: what is the same in every dialect. */
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
 * The proposal as a gam that speaks `dialect` reads it. One that needs a newer dialect comes without changes: what
 * has to be done about it follows from its dialect alone.
 *
 * Errors: BAD_FRAME, with the path of the field that is wrong; also for changes that need more than it says.
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

/** The dialect that these changes need. Errors: BAD_FRAME for one that a gam of `dialect` does not know. */
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

/** As readEnvelope(), of the bytes of an entry of the log. */
export function readProposal(data: Uint8Array, dialect = spokenDialect): Proposal {
  return readEnvelope(checkEnvelope(decode(data), "entry"), "entry", dialect);
}
