import type { NodeId } from "@gam/core";
import type { Opinion } from "./message.ts";

export type Verdict = "alive" | "refused" | "lost";

/** A tick that lies before all others. */
export const never = Number.NEGATIVE_INFINITY;

/** All that one peer knows of another. */
export interface PeerRecord {
  readonly id: NodeId;
  incarnation: number;
  verdict: Verdict;
  reason: string;
  /** The latest sign of life by any way. Its own or a helper's word; others' word included. */
  evidenceTick: number;
  hasSpoken: boolean;
  /** When the votes last carried the verdict. */
  supportedTick: number;
  /** When it last spoke to us itself. */
  spokeTick: number;
  /** From which on silence counts. Lies ahead while the peer need not have been heard yet. */
  heardTick: number;
  /** When the leader last told that it hears it (sightings.ts). */
  sightedTick: number;
  refusedTick: number;
  refusedSinceTick: number | undefined;
  probeTick: number;
  /** The round of the latest request for help, and whether any helper has spoken since. */
  askTick: number;
  askRound: number;
  helped: boolean;
  opinion: Opinion;
  opinionTick: number;
  /** Who watches it, and since when. */
  watchers: ReadonlyMap<NodeId, number>;
  /** What others say of it. */
  readonly heardOpinions: Map<NodeId, Opinion>;
  /** As an origin of rumours. */
  sequence: number;
  health: number;
  rumourEndTick: number;
}

export function newPeerRecord(id: NodeId, heardTick: number): PeerRecord {
  return {
    id,
    incarnation: 0,
    verdict: "alive",
    reason: "",
    evidenceTick: never,
    hasSpoken: false,
    supportedTick: never,
    spokeTick: never,
    heardTick,
    sightedTick: never,
    refusedTick: never,
    refusedSinceTick: undefined,
    probeTick: never,
    askTick: never,
    askRound: 0,
    helped: true,
    opinion: "alive",
    opinionTick: never,
    watchers: new Map(),
    heardOpinions: new Map(),
    sequence: 0,
    health: 0,
    rumourEndTick: never,
  };
}
