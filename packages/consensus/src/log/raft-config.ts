import { assert, type NodeId } from "@gam/core";
import type { Snapshot } from "./durable.ts";
import { chunkBytesMax, type RaftLimits, raftLimits } from "./limits.ts";

/** The caller's checks of what a leader sends, made before it enters the log. */
export interface Acceptance {
  /** The data of an entry of kind "data". */
  entry(data: Uint8Array): boolean;
  snapshot(snapshot: Snapshot): boolean;
}

/** For callers that do not interpret the bytes. */
const acceptAll: Acceptance = { entry: () => true, snapshot: () => true };

export interface RaftConfig {
  readonly self: NodeId;
  /** A leader sends a heartbeat every `heartbeatTicks`. */
  readonly heartbeatTicks: number;
  /** For so long after it heard a leader, a peer votes for no other one. */
  readonly electionTicksMin: number;
  /**
   * A peer that hears no leader stands for election after a random time: at least `electionTicksMin`,
   * less than this. A leader that has not heard a quorum for so long steps down.
   */
  readonly electionTicksMax: number;
  readonly limits?: Partial<RaftLimits>;
  /** Absent: accepts everything. */
  readonly accepts?: Acceptance;
}

export type RaftSettings = Omit<RaftConfig, "limits" | "accepts"> & {
  readonly limits: RaftLimits;
  readonly accepts: Acceptance;
};

/** Errors: BrokenInvariant, since a configuration comes from this program. */
export function settingsOf(config: RaftConfig): RaftSettings {
  const { heartbeatTicks, electionTicksMin, electionTicksMax } = config;
  assert(heartbeatTicks > 0, "heartbeatTicks must be positive");
  assert(electionTicksMin > heartbeatTicks, "electionTicksMin must exceed heartbeatTicks");
  assert(electionTicksMax > electionTicksMin, "electionTicksMax must exceed electionTicksMin");
  const limits = { ...raftLimits, ...config.limits };
  assert(limits.snapshotChunkBytes <= chunkBytesMax, "chunks must fit into a message");
  return { ...config, limits, accepts: config.accepts ?? acceptAll };
}
