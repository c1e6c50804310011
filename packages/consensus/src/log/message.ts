/**
 * Message: the messages between Raft peers, and the check of a received one.
 *
 * Every message carries the term of its sender. A pre-vote, and a yes to one, carry instead the term
 * that the candidate would stand in. Messages may be lost, doubled or reordered.
 */
import { check, decode, GamError, type NodeId } from "@gam/core";
import { type Configuration, checkConfiguration } from "./configuration.ts";
import type { Entry } from "./durable.ts";
import {
  appendEntriesMax,
  chunkBytesMax,
  entryBytesMax,
  snapshotBytesMax,
  snapshotIndexMax,
  termMax,
} from "./limits.ts";

/** "Would you vote for me?" The answer does not bind, so a peer that cannot win disturbs nobody. */
export interface PreVote {
  readonly kind: "preVote";
  readonly term: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
}
export interface PreVoteReply {
  readonly kind: "preVoteReply";
  readonly term: number;
  readonly granted: boolean;
}
export interface Vote {
  readonly kind: "vote";
  readonly term: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** The leader itself asked for this election, so voters need not protect it. */
  readonly transfer: boolean;
}
export interface VoteReply {
  readonly kind: "voteReply";
  readonly term: number;
  readonly granted: boolean;
}
export interface Append {
  readonly kind: "append";
  readonly term: number;
  readonly previousIndex: number;
  readonly previousTerm: number;
  readonly commit: number;
  /** Empty: the append only asks whether the logs agree at `previousIndex`. */
  readonly entries: readonly Entry[];
}
/** "My log agrees with yours up to `match`, on disk." */
export interface AppendReply {
  readonly kind: "appendReply";
  readonly term: number;
  readonly match: number;
}
/**
 * "My log does not agree at `previousIndex`." The hint is the last place at which it still might:
 * no entry of mine up to there has a later term than yours at `previousIndex`.
 */
export interface AppendConflict {
  readonly kind: "appendConflict";
  readonly term: number;
  readonly previousIndex: number;
  readonly hintIndex: number;
  readonly hintTerm: number;
}
/** "Entry `index` of term `indexTerm` is committed." A peer that has that entry has all before it. */
export interface Commit {
  readonly kind: "commit";
  readonly term: number;
  readonly index: number;
  readonly indexTerm: number;
}
export interface Heartbeat {
  readonly kind: "heartbeat";
  readonly term: number;
  /** As in Commit. */
  readonly index: number;
  readonly indexTerm: number;
  /** Comes back in the reply: a peer that answers round n followed the leader after round n began. */
  readonly round: number;
}
export interface HeartbeatReply {
  readonly kind: "heartbeatReply";
  readonly term: number;
  readonly round: number;
}
export interface SnapshotChunk {
  readonly kind: "snapshotChunk";
  readonly term: number;
  readonly index: number;
  readonly indexTerm: number;
  readonly configuration: Configuration;
  readonly totalBytes: number;
  readonly offset: number;
  readonly data: Uint8Array;
}
/** "I have the first `offset` bytes of the snapshot at `index`." The whole one gets an AppendReply. */
export interface SnapshotReply {
  readonly kind: "snapshotReply";
  readonly term: number;
  readonly index: number;
  readonly offset: number;
}
/** The leader hands over: "stand for election now". */
export interface StandNow {
  readonly kind: "standNow";
  readonly term: number;
}
export interface ReadRequest {
  readonly kind: "readRequest";
  readonly term: number;
  readonly id: string;
}
/** "Answer read `id` once you have applied `index`." */
export interface ReadReply {
  readonly kind: "readReply";
  readonly term: number;
  readonly id: string;
  readonly index: number;
}

export type Message =
  | PreVote
  | PreVoteReply
  | Vote
  | VoteReply
  | Append
  | AppendReply
  | AppendConflict
  | Commit
  | Heartbeat
  | HeartbeatReply
  | SnapshotChunk
  | SnapshotReply
  | StandNow
  | ReadRequest
  | ReadReply;

const { boolean, bytes, integer, list, literal, object, string, union, where } = check;
const number = integer(0, termMax);
const readIdLengthMax = 64;

const shapeOfEntry = object({
  index: integer(1, 2 ** 52),
  term: number,
  kind: literal("data", "configuration", "noop"),
  data: bytes(entryBytesMax),
});
const checkEntry: check.Check<Entry> = (value, path) => {
  const entry = shapeOfEntry(value, path);
  // Checked here, so that no log ever holds an unreadable configuration.
  if (entry.kind === "configuration") {
    checkConfiguration(decode(entry.data), `${path}.configuration`);
  }
  if (entry.kind === "noop" && entry.data.length > 0) {
    throw new GamError("BAD_FRAME", `Cannot read ${path}.data: an empty entry has none`);
  }
  return entry;
};

/** A peer's log has no entries of a term later than the peer's own. */
function within<T extends { readonly term: number }>(
  shape: check.Check<T>,
  termOf: (message: T) => number,
): check.Check<T> {
  return where(
    shape,
    (message) => termOf(message) <= message.term,
    "a term up to the sender's own",
  );
}

const ballot = { term: number, lastIndex: number, lastTerm: number };
const committed = { term: number, index: number, indexTerm: number };

/** Errors: BAD_FRAME with the path of the field that is wrong. */
export const checkMessage: check.Check<Message> = union<Message>({
  preVote: within(object({ kind: literal("preVote"), ...ballot }), ({ lastTerm }) => lastTerm),
  preVoteReply: object({ kind: literal("preVoteReply"), term: number, granted: boolean }),
  vote: within(
    object({ kind: literal("vote"), ...ballot, transfer: boolean }),
    ({ lastTerm }) => lastTerm,
  ),
  voteReply: object({ kind: literal("voteReply"), term: number, granted: boolean }),
  append: object({
    kind: literal("append"),
    term: number,
    previousIndex: number,
    previousTerm: number,
    commit: number,
    entries: list(checkEntry, appendEntriesMax),
  }),
  appendReply: object({ kind: literal("appendReply"), term: number, match: number }),
  appendConflict: object({
    kind: literal("appendConflict"),
    term: number,
    previousIndex: number,
    hintIndex: number,
    hintTerm: number,
  }),
  commit: object({ kind: literal("commit"), ...committed }),
  heartbeat: object({ kind: literal("heartbeat"), ...committed, round: number }),
  heartbeatReply: object({ kind: literal("heartbeatReply"), term: number, round: number }),
  snapshotChunk: object({
    kind: literal("snapshotChunk"),
    ...committed,
    index: integer(1, snapshotIndexMax),
    configuration: checkConfiguration,
    totalBytes: integer(0, snapshotBytesMax),
    offset: integer(0, snapshotBytesMax),
    data: bytes(chunkBytesMax),
  }),
  snapshotReply: object({
    kind: literal("snapshotReply"),
    term: number,
    index: number,
    offset: integer(0, snapshotBytesMax),
  }),
  standNow: object({ kind: literal("standNow"), term: number }),
  readRequest: object({
    kind: literal("readRequest"),
    term: number,
    id: string(readIdLengthMax),
  }),
  readReply: object({
    kind: literal("readReply"),
    term: number,
    id: string(readIdLengthMax),
    index: number,
  }),
});

/** A message and its receiver. */
export interface Letter {
  readonly to: NodeId;
  readonly message: Message;
}

/** Whether its term is one that no peer has reached yet. */
export function isHypothetical(message: Message): boolean {
  return message.kind === "preVote" || (message.kind === "preVoteReply" && message.granted);
}

/** Whether the entries follow `previousIndex` and each other without gaps, in terms that do not fall. */
export function followOn({ term, previousIndex, previousTerm, entries }: Append): boolean {
  let last = { index: previousIndex, term: previousTerm };
  for (const entry of entries) {
    if (entry.index !== last.index + 1 || entry.term < last.term) return false;
    last = entry;
  }
  return last.term <= term;
}
