/**
 * Durable: what of a Raft peer outlives a crash. Everything else is learned again.
 */
import type { NodeId } from "@gam/core";
import { type Configuration, writeConfiguration } from "./configuration.ts";

export interface Entry {
  /** From 1 on, without gaps. */
  readonly index: number;
  readonly term: number;
  /** "data" is the caller's; the others are Raft's own and mean nothing to the caller's state. */
  readonly kind: "data" | "configuration" | "noop";
  /** Opaque for "data", writeConfiguration() for "configuration", empty for "noop". */
  readonly data: Uint8Array;
}

export interface HardState {
  readonly term: number;
  /** For whom this peer voted in `term`. */
  readonly votedFor: NodeId | undefined;
  /** A lower bound: it is written along with other things and never alone. */
  readonly commit: number;
}

/** The caller's state after the entry `index`, in place of all entries up to it. */
export interface Snapshot {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
  readonly data: Uint8Array;
}

/** What the disk has. */
export interface Restored {
  readonly hardState: HardState;
  readonly snapshot: Snapshot | undefined;
  /** The first one follows the snapshot, or is number 1. */
  readonly entries: readonly Entry[];
}

/** A peer that knows nothing. It waits until a leader sends it a log. */
export const blank: Restored = {
  hardState: { term: 0, votedFor: undefined, commit: 0 },
  snapshot: undefined,
  entries: [],
};

/**
 * The start of a new cluster, whose only voter is `self`. Its log begins with that configuration.
 * The caller makes it durable before it runs on it, and does this once in the life of a cluster.
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
