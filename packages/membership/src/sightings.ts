/**
 * Sightings: which peers one peer has heard itself, and how long ago.
 *
 * Each answer to a heartbeat shows the leader that a member is alive. With the next heartbeat, the leader
 * tells each member which of the peers it watches answered. Meanwhile the watchers need not probe those
 * peers themselves. In a mesh of five, followers then ping each other every 1.4 s instead of every 0.3 s.
 *
 * A sighting only saves probes. It carries its age, so a watcher counts the silence of a lost peer from the
 * moment at which the leader last heard it. It never clears a suspected peer: for that, a watcher relies on
 * its own connection and its helpers only. When sightings stop, because the leader is lost, frozen or cut
 * off, watchers probe as they do without a leader.
 */
import { type Check, check, type NodeId } from "@gam/core";
import type { MembershipConfig } from "./config.ts";
import type { PeerRecord } from "./peer-record.ts";

/** Ticks since each peer was heard. */
export type Sightings = Readonly<Record<string, number>>;

/** No sightings in a larger mesh: they cost the leader more, and each member watches few of the others. */
const sightingMembersMax = 64;
const agoTicksMax = 255;

export const checkSightings: Check<Sightings> = check.map(
  check.integer(0, agoTicksMax),
  sightingMembersMax,
  check.id<NodeId>(),
);

/**
 * Returns: the sightings to send to `to`; undefined when there are none.
 * `sinceTick`: messages that came before it may have waited in a queue while this process did not run.
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

/** Notes that the leader has heard this peer. Has no effect on a peer in doubt. */
export function noteSighting(peer: PeerRecord, nowTick: number, agoTicks: number): void {
  const isDoubted = peer.opinion !== "alive" || peer.verdict !== "alive";
  if (isDoubted || peer.refusedSinceTick !== undefined) return;
  // One tick more: the leader heard it during that tick, not at its end, and the sighting took time.
  peer.heardTick = Math.max(peer.heardTick, nowTick - agoTicks - 1);
  peer.sightedTick = nowTick;
}
