/** Limits: how much a Raft peer keeps, sends and waits for. */

/** The largest entry. Larger proposals are refused, and a larger frame is not a valid message. */
export const entryBytesMax = 2 * 1024 * 1024;
/** The most entries in one append. */
export const appendEntriesMax = 1_024;
/** The largest piece of a snapshot. */
export const chunkBytesMax = 256 * 1024;
/** The largest snapshot. */
export const snapshotBytesMax = 512 * 1024 * 1024;

/** The highest term. Well beyond it, numbers are no longer exact. */
export const termMax = 2 ** 52;
/**
 * How far this peer's term may rise in each window of ticks since it started. Honest peers need one term for each
 * election, so a peer still catches up at once after ten years with one election every two seconds.
 * A lying member needs five hundred years to use up all terms. (docs/decisions/0011)
 */
export const termsPerWindowMax = 2 ** 24;
export const termWindowTicks = 1200;
/** The highest index of a snapshot: entries have to fit behind it. */
export const snapshotIndexMax = 2 ** 48;

export interface RaftLimits {
  /** Entries are packed into one append up to this. One larger entry travels alone. */
  readonly appendBytesMax: number;
  /** Appends sent to one peer and not yet acknowledged. */
  readonly inflightAppendsMax: number;
  /** Their bytes; one append is always allowed. */
  readonly inflightBytesMax: number;
  /** Above either limit the leader refuses proposals until some are committed. */
  readonly uncommittedEntriesMax: number;
  readonly uncommittedBytesMax: number;
  /** At most chunkBytesMax. */
  readonly snapshotChunkBytes: number;
  /** Entries kept before a snapshot, so that a peer slightly behind needs no snapshot. */
  readonly trailingEntries: number;
  /** Reads waiting at the leader, and reads waiting at each peer. */
  readonly readsMax: number;
}

/** For clusters of the size that gam supports; tests make them smaller. */
export const raftLimits: RaftLimits = {
  appendBytesMax: 256 * 1024,
  inflightAppendsMax: 64,
  inflightBytesMax: 2 * 1024 * 1024,
  uncommittedEntriesMax: 8_192,
  uncommittedBytesMax: 16 * 1024 * 1024,
  snapshotChunkBytes: chunkBytesMax,
  trailingEntries: 2_048,
  readsMax: 4_096,
};
