import type { NodeId } from "@gam/core";
import type { Opinion } from "./message.ts";

export type Verdict = "alive" | "refused" | "lost";

/** A tick that lies before all others. */
export const never = Number.NEGATIVE_INFINITY;

/** What one peer knows about another. */
export interface PeerRecord {
  readonly id: NodeId;
  incarnation: number;
  verdict: Verdict;
  reason: string;
  /** The latest sign of life: from the peer itself, a helper, or another peer's rumour. */
  evidenceTick: number;
  hasSpoken: boolean;
  /** When the votes last supported the verdict. */
  supportedTick: number;
  /** When we last got a message from it directly. */
  spokeTick: number;
  /** Silence counts from here. In the future for a new peer, which has time to be heard first. */
  heardTick: number;
  /** When the leader last passed on that it hears it (sightings.ts). */
  sightedTick: number;
  refusedTick: number;
  refusedSinceTick: number | undefined;
  probeTick: number;
  /** The latest request for help, and whether any helper has answered since. */
  askTick: number;
  askRound: number;
  helped: boolean;
  opinion: Opinion;
  opinionTick: number;
  /** Its watchers, and since when. */
  watchers: ReadonlyMap<NodeId, number>;
  /** Other peers' opinions of it. */
  readonly heardOpinions: Map<NodeId, Opinion>;
  /** The next three: from its own rumours. */
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
