/** Limits: how much of anything a Raft peer keeps, sends and waits for. */

/** No entry is larger. Proposals above it are refused, frames above it are no messages. */
export const entryBytesMax = 2 * 1024 * 1024;
/** No append carries more entries. */
export const appendEntriesMax = 1_024;
/** No piece of a snapshot is larger. */
export const chunkBytesMax = 256 * 1024;
/** No snapshot is larger. */
export const snapshotBytesMax = 512 * 1024 * 1024;

/** Beyond it, adding one would stop being exact. */
export const termMax = 2 ** 52;
/**
 * Terms that this peer may rise by in each window of ticks since it started. An honest mesh needs one for each
 * election, so a peer that was away for ten years of one election every two seconds still follows at once.
 * A member that lies needs five hundred years to use up all terms. (docs/decisions/0011)
 */
export const termsPerWindowMax = 2 ** 24;
export const termWindowTicks = 1200;
/** No snapshot stands at a higher place: entries have to fit behind it. */
export const snapshotIndexMax = 2 ** 48;

export interface RaftLimits {
  /** Entries are packed into one append up to this. One larger entry travels alone. */
  readonly appendBytesMax: number;
  /** Appends on their way to one peer. */
  readonly inflightAppendsMax: number;
  /** Their bytes; one append may always be on its way. */
  readonly inflightBytesMax: number;
  /** Proposals are refused above either, until some are committed. */
  readonly uncommittedEntriesMax: number;
  readonly uncommittedBytesMax: number;
  /** At most chunkBytesMax. */
  readonly snapshotChunkBytes: number;
  /** Kept before a snapshot, so that a peer that is a little behind needs no snapshot. */
  readonly trailingEntries: number;
  /** Reads that wait at the leader, and reads that wait at each peer. */
  readonly readsMax: number;
}

/** For clusters of the size that this program is for; tests make them smaller. */
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
