/**
 * Heartbeat: how often a leader sends heartbeats, and what it adds to them.
 *
 * The answers to Raft's heartbeats show the leader which peers are alive. It passes that on in the next
 * heartbeats, so that members need not probe each other (sightings.ts of membership).
 */
import type { Effect as RaftEffect } from "@gam/consensus";
import type { Membership } from "@gam/membership";
import type { Message } from "./message.ts";

/** A heartbeat each 150 ms, elections after 1.2 to 2 s of silence: a freeze of 1 s costs none. */
export const raftTiming = { heartbeatTicks: 3, electionTicksMin: 24, electionTicksMax: 40 };

/** Returns: Raft's message, as it is sent to that peer. */
export function raftMessage(
  { to, message: body }: Extract<RaftEffect, { kind: "send" }>,
  from: { readonly life: string; readonly membership: Membership; readonly accounted: boolean },
): Message {
  const { life, membership, accounted } = from;
  const sightings = body.kind === "heartbeat" ? membership.sightingsFor(to) : undefined;
  return {
    channel: "raft",
    life,
    body,
    ...(sightings !== undefined && { sightings }),
    ...(accounted && { accounted }),
  };
}
