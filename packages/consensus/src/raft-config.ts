import { assert, type NodeId } from "@gam/core";
import { chunkBytesMax, type RaftLimits, raftLimits } from "./limits.ts";

export interface RaftConfig {
  readonly self: NodeId;
  /** A leader says that it leads every `heartbeatTicks`. */
  readonly heartbeatTicks: number;
  /** For so long after it heard a leader, a peer helps nobody to depose it. */
  readonly electionTicksMin: number;
  /**
   * A peer that hears no leader stands for election after a random time from `electionTicksMin` up to
   * but not including this. A leader that has not heard a quorum for so long steps down.
   */
  readonly electionTicksMax: number;
  readonly limits?: Partial<RaftLimits>;
}

export type RaftSettings = Omit<RaftConfig, "limits"> & { readonly limits: RaftLimits };

/** Errors: BrokenInvariant, since a configuration comes from this program. */
export function settingsOf(config: RaftConfig): RaftSettings {
  const { heartbeatTicks, electionTicksMin, electionTicksMax } = config;
  assert(heartbeatTicks > 0, "heartbeatTicks must be positive");
  assert(electionTicksMin > heartbeatTicks, "electionTicksMin must exceed heartbeatTicks");
  assert(electionTicksMax > electionTicksMin, "electionTicksMax must exceed electionTicksMin");
  const limits = { ...raftLimits, ...config.limits };
  assert(limits.snapshotChunkBytes <= chunkBytesMax, "chunks must fit into a message");
  return { ...config, limits };
}
