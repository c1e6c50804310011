/**
 * Journal shape: what a record of the journal may hold, as it is read from a disk.
 *
 * Checksums show that a record is as it was written. This check shows that it is usable: a journal of another
 * program, or of a gam with a bug, gives a clear error instead of a crash.
 */
import {
  type Entry,
  type HardState,
  type Snapshot,
  snapshotBytesMax,
  termMax,
} from "@gam/consensus";
import { type Check, check, decode, encode, GamError, type NodeId } from "@gam/core";
import { checkLife, type Life } from "./life.ts";

/** A peer and its last known addresses. */
export interface Contact {
  readonly id: NodeId;
  readonly addresses: readonly string[];
}

export interface Stored {
  readonly hardState?: HardState | undefined;
  readonly entries: readonly Entry[];
  readonly snapshot?: Snapshot | undefined;
  readonly life?: Life | undefined;
  readonly contacts?: readonly Contact[] | undefined;
}

const { bytes, integer, list, literal, optional, string, struct } = check;

const writesMax = 1_000_000;
const entriesMax = 10_000_000;
const membersMax = 10_000;
const index = integer(1, termMax);
const term = integer(0, termMax);
const member = string(64) as Check<string> as Check<NodeId>;
const members = list(member, membersMax);

const entry = struct({
  index,
  term,
  kind: literal("data", "configuration", "noop"),
  data: bytes(snapshotBytesMax),
});
const write = struct({
  hardState: optional(struct({ term, votedFor: optional(member), commit: integer(0, termMax) })),
  entries: list(entry, entriesMax),
  snapshot: optional(
    struct({
      index,
      term,
      configuration: struct({
        voters: members,
        votersOutgoing: members,
        learners: members,
        standbys: members,
      }),
      data: bytes(snapshotBytesMax),
    }),
  ),
  life: optional(checkLife),
  contacts: optional(list(struct({ id: member, addresses: list(string(300), 32) }), membersMax)),
});
const checkWrites = list(write, writesMax) as Check<Stored[]>;

/** Version of the records that this gam writes. Raised when an older gam must not read them. */
const recordVersion = 1;

/** Fields of a record in every version. */
const checkHead = check.object({ version: integer(1), dialect: integer(1) });

export interface JournalRecord {
  /** The newest dialect of the log that the writing peer spoke. */
  readonly dialect: number;
  readonly writes: readonly Stored[];
}

export function encodeRecord({ dialect, writes }: JournalRecord): Uint8Array {
  return encode({ version: recordVersion, dialect, writes });
}

/**
 * Shape: `newest` is the newest dialect that this peer speaks.
 * Errors: BAD_FRAME, with the path of the wrong field; NOT_SUPPORTED for what a newer gam wrote.
 */
export function readRecord(payload: Uint8Array, newest: number): JournalRecord {
  const value = decode(payload);
  const { version, dialect } = checkHead(value, "record");
  const found =
    version > recordVersion
      ? `format ${version}, and this gam knows ${recordVersion}`
      : `it spoke dialect ${dialect} of the log, and this gam speaks ${newest}`;
  if (version > recordVersion || dialect > newest) {
    throw new GamError(
      "NOT_SUPPORTED",
      `a newer gam has written it (${found}). Start the newer version again; nothing was changed on this disk`,
    );
  }
  const { writes } = check.object({ writes: checkWrites })(value, "record");
  for (const { entries } of writes) {
    for (const [at, one] of entries.entries()) {
      const before = entries[at - 1];
      if (before === undefined || (one.index === before.index + 1 && one.term >= before.term))
        continue;
      throw new GamError(
        "BAD_FRAME",
        `Cannot read record: entry ${one.index} follows ${before.index}`,
      );
    }
  }
  return { dialect, writes };
}
