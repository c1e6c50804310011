import { assert, type NodeId } from "@gam/core";

/** One tick is 50 ms in the agent; the reasons below assume that. */
export interface MembershipConfig {
  readonly self: NodeId;
  /** How many peers watch each peer. Even: half of them from each side of the ring. */
  readonly watchersMax: number;
  /** How many peers one watcher asks to probe for it. */
  readonly helpersMax: number;
  /** Silence after which a watcher pings a peer. */
  readonly probeTicks: number;
  /** The same for a peer that the leader has heard lately (sightings.ts). */
  readonly sightedProbeTicks: number;
  /** A watcher pings a peer that only the leader has heard for so long, to test its own connection. */
  readonly wayTicks: number;
  /** A leader passes on only sightings no older than this. */
  readonly sightingTicks: number;
  /** How often a watcher pings a lost peer: it may come back, but there is no hurry. */
  readonly lostProbeTicks: number;
  /** Silence after which a watcher asks others to probe, and the pause before it asks again. */
  readonly helpTicks: number;
  /** How long a helper waits for an answer before it reports none. */
  readonly nackTicks: number;
  /** Silence after which a watcher suspects a peer, and tells it so. */
  readonly suspectTicks: number;
  /** Silence after which a suspect is called silent, when enough other watchers suspect it too. */
  readonly silentTicks: number;
  /** The same when no other watcher suspects it. */
  readonly silentTicksMax: number;
  /** How long a host may refuse connections before it counts as lost. */
  readonly refusedGraceTicks: number;
  /** How long a new member, or any member after our own start, has to be heard for the first time. */
  readonly startTicks: number;
  /** How often opinions are broadcast while they matter. */
  readonly repeatTicks: number;
  /** How often opinions are broadcast once all peers agree on the verdict. */
  readonly settledTicks: number;
  /** How long most neighbours have to be silent before we blame them rather than ourselves. */
  readonly blindTicks: number;
  /** A verdict ends when no votes have supported it for so long. */
  readonly unsupportedTicks: number;
  /** The most missed ticks that count as time; a longer pause is ignored. */
  readonly lateTicksMax: number;
  /** After each such time without trouble, the local health score falls by one point. */
  readonly healTicks: number;
}

/**
 * The agent's configuration, for 50 ms ticks.
 *
 * Below, a frame lost one, two, three or four times delays its TCP stream by 0.2, 0.6, 1.4 or 3.0 s in
 * all, with everything behind it.
 */
export const defaultConfig: Omit<MembershipConfig, "self"> = {
  // Three of four must agree, so two broken links evict nobody, and five peers all watch each other.
  watchersMax: 4,
  helpersMax: 3,
  // 300 ms. An edge of the ring costs seven small messages a second, both directions together.
  probeTicks: 6,
  // 450 ms: a sighting comes every 150 ms and is up to 150 ms old; each may be a tick or two late.
  sightedProbeTicks: 9,
  // 1.4 s: less than the silence after which the mesh pings a connection by itself.
  wayTicks: 28,
  // 300 ms, the same age as what a watcher without a leader relies on.
  sightingTicks: 6,
  lostProbeTicks: 20,
  // 600 ms: longer than a frame lost once, and two rounds of help fit before silentTicks.
  helpTicks: 12,
  // 400 ms: an answer after that is of no more use than the next round's probe.
  nackTicks: 8,
  // 1 s: the suspect has 700 ms to refute before anybody can call it silent.
  suspectTicks: 20,
  // 1.7 s: more than a process frozen for one second, or a frame lost three times (1.4 s). A lost host is to
  // be found within 2 s; that leaves 300 ms for the age of the last ack and for the rumours.
  silentTicks: 34,
  // 3.6 s: more than a frame lost four times. A lone watcher has nobody to correct it.
  silentTicksMax: 72,
  // 15 s: enough to upgrade an agent while its containers run.
  refusedGraceTicks: 300,
  // 5 s: connections take time to open, and hosts that boot together do not boot in the same second.
  startTicks: 100,
  repeatTicks: 10,
  settledTicks: 100,
  // 5 s: by then a leader that was cut off has stepped down, so the remaining peers may judge.
  blindTicks: 100,
  // 10 s: longer than new watchers need to form an opinion of their own.
  unsupportedTicks: 200,
  // 200 ms: a busy host. A longer pause means a frozen one.
  lateTicksMax: 4,
  healTicks: 10,
};

export function assertMembershipConfig(config: MembershipConfig): void {
  assert(config.watchersMax >= 2, "watchersMax is at least two");
  assert(config.watchersMax % 2 === 0, "watchersMax is even");
  assert(config.probeTicks > 0, "probeTicks is positive");
  assert(config.probeTicks <= config.sightedProbeTicks, "sightings spare probes");
  assert(
    config.sightedProbeTicks < config.helpTicks,
    "help is asked after a probe went unanswered",
  );
  assert(config.helpTicks <= config.suspectTicks, "help is asked before suspicion");
  assert(config.suspectTicks < config.silentTicks, "a suspect has time to refute");
  assert(config.silentTicks <= config.silentTicksMax, "confirmations shorten suspicion");
}
