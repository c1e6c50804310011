import { assert, type NodeId } from "@gam/core";

/** One tick is 50 ms in the agent; the reasons below assume that. */
export interface MembershipConfig {
  readonly self: NodeId;
  /** How many peers watch each peer. Even: half of them from each side of the ring. */
  readonly watchersMax: number;
  /** How many peers one watcher asks to probe for it. */
  readonly helpersMax: number;
  /** A watched peer that was not heard for so long is pinged. */
  readonly probeTicks: number;
  /** The same for a peer that the leader has heard lately (sightings.ts). */
  readonly sightedProbeTicks: number;
  /** A peer that only the leader has heard is pinged so often, to see that the way to it works. */
  readonly wayTicks: number;
  /** A leader tells of peers that it has heard no longer ago. */
  readonly sightingTicks: number;
  /** The same for a peer that is lost: it may come back, but there is no hurry. */
  readonly lostProbeTicks: number;
  /** Silence after which others are asked to probe, and the pause before they are asked again. */
  readonly helpTicks: number;
  /** How long a helper waits for an answer before it says that it got none. */
  readonly nackTicks: number;
  /** Silence after which a peer is suspected, and told so. */
  readonly suspectTicks: number;
  /** Silence after which a suspect is called silent when enough other watchers suspect it too. */
  readonly silentTicks: number;
  /** The same when no other watcher does. */
  readonly silentTicksMax: number;
  /** How long a host may refuse connections before it counts as lost. */
  readonly refusedGraceTicks: number;
  /** How long a new member, or any member after our own start, has to be heard for the first time. */
  readonly startTicks: number;
  /** How often opinions are broadcast while they matter. */
  readonly repeatTicks: number;
  /** How often they are once everybody has come to the same verdict. */
  readonly settledTicks: number;
  /** How long most neighbours have to be silent before we believe it of them rather than of us. */
  readonly blindTicks: number;
  /** A verdict that nothing supports any more ends after this. */
  readonly unsupportedTicks: number;
  /** So many ticks that did not come still count as time; more did not pass for us. */
  readonly lateTicksMax: number;
  /** So long without trouble takes one point off the local health score. */
  readonly healTicks: number;
}

/**
 * What the agent runs with, for 50 ms ticks.
 *
 * Below, "frame loss" is a TCP stream that waits 0.2, 0.6, 1.4 or 3.0 s in all for a frame that was
 * lost one, two, three or four times, and everything behind it waits too.
 */
export const defaultConfig: Omit<MembershipConfig, "self"> = {
  // Three of four must agree, so two broken links evict nobody, and five peers all watch each other.
  watchersMax: 4,
  helpersMax: 3,
  // 300 ms. An edge of the ring costs seven small messages a second, both directions together.
  probeTicks: 6,
  // 450 ms: a sighting comes each 150 ms and is up to 150 ms old, and either may be late by a tick or two.
  sightedProbeTicks: 9,
  // 1.4 s: less than the silence after which the mesh pings a connection by itself.
  wayTicks: 28,
  // 300 ms, as old as what a watcher without a leader goes by.
  sightingTicks: 6,
  lostProbeTicks: 20,
  // 600 ms: longer than a frame lost once, and two rounds of help fit in before silentTicks.
  helpTicks: 12,
  // 400 ms: an answer that took longer than that is worth no more than the probe of the next round.
  nackTicks: 8,
  // 1 s. The suspect has 700 ms to refute before anybody can call it silent.
  suspectTicks: 20,
  // 1.7 s: more than a process frozen for one second, or a frame lost three times (1.4 s); it leaves
  // 300 ms of the two seconds that a lost host may take for the age of the last ack and the rumours.
  silentTicks: 34,
  // 3.6 s: more than a frame lost four times. A lone watcher has nobody to correct it.
  silentTicksMax: 72,
  // 15 s: an agent can be upgraded while its containers run.
  refusedGraceTicks: 300,
  // 5 s: connections are made and hosts that boot together do not boot in the same second.
  startTicks: 100,
  repeatTicks: 10,
  settledTicks: 100,
  // 5 s. By then a leader that was cut off has stepped down, so what is left may judge.
  blindTicks: 100,
  // 10 s: longer than watchers that take over need to form an opinion of their own.
  unsupportedTicks: 200,
  // 200 ms: a busy host. What is longer is a frozen one.
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
