/**
 * Heartbeat: how often a leader says that it leads, and what goes with it.
 *
 * Raft sends heartbeats to say that there is a leader. Their answers show the leader who is alive, and it
 * passes that on in the next ones, so that members need not ask each other (sightings.ts of membership).
 */
import type { Effect as RaftEffect } from "@gam/consensus";
import type { Membership } from "@gam/membership";
import type { Message } from "./message.ts";

/** A heartbeat each 150 ms, elections after 1.2 to 2 s of silence: a freeze of 1 s costs none. */
export const raftTiming = { heartbeatTicks: 3, electionTicksMin: 24, electionTicksMax: 40 };

/** What Raft says, as it goes to that peer. */
export function raftMessage(
  { to, message: body }: Extract<RaftEffect, { kind: "send" }>,
  life: string,
  membership: Membership,
): Message {
  const sightings = body.kind === "heartbeat" ? membership.sightingsFor(to) : undefined;
  return { channel: "raft", life, body, ...(sightings !== undefined && { sightings }) };
}
