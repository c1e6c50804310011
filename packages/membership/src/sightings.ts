/**
 * Sightings: which peers one peer has heard itself, and how long ago.
 *
 * The leader hears every member with each answer to a heartbeat. It tells each member, with the next
 * heartbeat, which of the peers that this member watches it has heard. While it does, the watchers need
 * not ask those peers themselves. In a mesh of five, followers then ping each other every 1.4 s instead of every
 * 0.3 s.
 *
 * A sighting only spares probes. It carries its age, so a lost peer is as silent as if its watcher had
 * heard it last at that moment. It ends no doubt: a watcher that suspects a peer believes its own ears
 * and its helpers only. When sightings stop, because the leader is lost, frozen or cut off, watchers probe
 * as they do without a leader.
 */
import { type Check, check, type NodeId } from "@gam/core";
import type { MembershipConfig } from "./config.ts";
import type { PeerRecord } from "./peer-record.ts";

/** Ticks since each peer was heard. */
export type Sightings = Readonly<Record<string, number>>;

/** In a larger mesh the leader has enough to say, and each member watches few of the others. */
const sightingMembersMax = 64;
const agoTicksMax = 255;

export const checkSightings: Check<Sightings> = check.map(
  check.integer(0, agoTicksMax),
  sightingMembersMax,
  check.id<NodeId>(),
);

/**
 * Returns: what `to` may be told; undefined when that is nothing.
 * `sinceTick`: what was heard before may have waited while this process did not run.
 */
export function sightingsFor(
  to: NodeId,
  peers: ReadonlyMap<NodeId, PeerRecord>,
  { nowTick, sinceTick, config }: SightingFacts,
): Sightings | undefined {
  if (peers.size >= sightingMembersMax) return undefined;
  const found: Record<string, number> = {};
  for (const { id, watchers, spokeTick } of peers.values()) {
    const agoTicks = nowTick - spokeTick;
    if (spokeTick < sinceTick || agoTicks > config.sightingTicks) continue;
    if (id !== to && watchers.has(to)) found[id] = agoTicks;
  }
  return Object.keys(found).length > 0 ? found : undefined;
}

export interface SightingFacts {
  readonly nowTick: number;
  readonly sinceTick: number;
  readonly config: Pick<MembershipConfig, "sightingTicks">;
}

/** Notes that another peer has heard this one. Not for a peer that is in doubt. */
export function noteSighting(peer: PeerRecord, nowTick: number, agoTicks: number): void {
  const isDoubted = peer.opinion !== "alive" || peer.verdict !== "alive";
  if (isDoubted || peer.refusedSinceTick !== undefined) return;
  // It was heard within that tick, not at its end; and the sighting was under way.
  peer.heardTick = Math.max(peer.heardTick, nowTick - agoTicks - 1);
  peer.sightedTick = nowTick;
}
