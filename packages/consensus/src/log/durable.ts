/**
 * Durable: the part of a Raft peer's state that survives a crash. The peer learns the rest again.
 */
import type { NodeId } from "@gam/core";
import { type Configuration, writeConfiguration } from "./configuration.ts";

export interface Entry {
  /** Counts from 1, without gaps. */
  readonly index: number;
  readonly term: number;
  /** "data" is the caller's; the others are Raft's own and mean nothing to the caller's state. */
  readonly kind: "data" | "configuration" | "noop";
  /** Opaque for "data", writeConfiguration() for "configuration", empty for "noop". */
  readonly data: Uint8Array;
}

export interface HardState {
  readonly term: number;
  /** The candidate that this peer voted for in `term`. */
  readonly votedFor: NodeId | undefined;
  /** A lower bound: a new commit index alone causes no write. */
  readonly commit: number;
}

/** The caller's state after the entry `index`. Replaces all entries up to it. */
export interface Snapshot {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
  readonly data: Uint8Array;
}

/** The state that was read from disk. */
export interface Restored {
  readonly hardState: HardState;
  readonly snapshot: Snapshot | undefined;
  /** The first one follows the snapshot, or is number 1. */
  readonly entries: readonly Entry[];
}

/** An empty peer. It waits until a leader sends it a log. */
export const blank: Restored = {
  hardState: { term: 0, votedFor: undefined, commit: 0 },
  snapshot: undefined,
  entries: [],
};

/**
 * The start of a new cluster, whose only voter is `self`. Its log begins with that configuration.
 * The caller makes it durable before it starts the peer, once for each cluster.
 */
export function bootstrap(self: NodeId): Restored {
  const data = writeConfiguration({
    voters: [self],
    votersOutgoing: [],
    learners: [],
    standbys: [],
  });
  return {
    hardState: { term: 1, votedFor: undefined, commit: 1 },
    snapshot: undefined,
    entries: [{ index: 1, term: 1, kind: "configuration", data }],
  };
}
