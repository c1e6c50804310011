/**
 * Court: combines all opinions on one peer into one finding.
 *
 * Decides whose opinion counts and whether enough of them agree, a manager among them. Does not decide what
 * follows: membership.ts, which also knows the signs of life, turns a finding into a verdict or not.
 */
import type { NodeId } from "@gam/core";
import type { MembershipConfig } from "./config.ts";
import type { MembershipFaults } from "./faults.ts";
import { carries, type Finding, findingOf, votesNeeded } from "./jury.ts";
import type { LocalHealth } from "./local-health.ts";
import { healthMax, type Opinion } from "./message.ts";
import type { PeerRecord } from "./peer-record.ts";

export interface CourtFacts {
  readonly config: MembershipConfig;
  readonly faults: MembershipFaults;
  /** All others are workers, whose opinions alone convict nobody. */
  readonly isManager: (id: NodeId) => boolean;
  readonly health: LocalHealth;
  readonly peers: ReadonlyMap<NodeId, PeerRecord>;
}

export class Court {
  readonly #config: MembershipConfig;
  readonly #faults: MembershipFaults;
  readonly #isManager: (id: NodeId) => boolean;
  readonly #health: LocalHealth;
  readonly #peers: ReadonlyMap<NodeId, PeerRecord>;
  #nowTick = 0;

  constructor({ config, faults, isManager, health, peers }: CourtFacts) {
    this.#isManager = isManager;
    this.#config = config;
    this.#faults = faults;
    this.#health = health;
    this.#peers = peers;
  }

  tick(nowTick: number): void {
    this.#nowTick = nowTick;
  }

  /** Returns: `watchers` is how many opinions counted, `votes` how many of them support the finding. */
  weigh(peer: PeerRecord): {
    readonly finding: Finding;
    readonly votes: number;
    readonly watchers: number;
  } {
    const voices = this.#opinionsThatCount(peer);
    const opinions = [...voices.values()];
    const needed = this.#faults.oneWatcherIsEnough
      ? 1
      : votesNeeded(opinions.length, this.peersLeft(peer));
    const { finding, votes } = findingOf(opinions, needed);
    const stands = this.#isCarriedByManager(voices, finding, peer);
    return { finding: stands ? finding : "none", votes, watchers: opinions.length };
  }

  /** While any manager is left beside the peer, at least one manager must support the finding. */
  #isCarriedByManager(
    voices: ReadonlyMap<NodeId, Opinion>,
    finding: Finding,
    peer: PeerRecord,
  ): boolean {
    if (this.#faults.workersConvict) return true;
    if (finding === "none" || !this.#hasManagersBeside(peer)) return true;
    for (const [id, opinion] of voices) {
      if (this.#isManager(id) && carries(opinion, finding)) return true;
    }
    return false;
  }

  #hasManagersBeside(peer: PeerRecord): boolean {
    if (this.#isManager(this.#config.self)) return true;
    for (const other of this.#peers.values()) {
      if (other !== peer && other.verdict !== "lost" && this.#isManager(other.id)) return true;
    }
    return false;
  }

  /** Returns: how many other watchers suspect it too. */
  confirmations(peer: PeerRecord): number {
    let confirmed = 0;
    for (const id of peer.watchers.keys()) {
      if (id === this.#config.self || this.weightless(id)) continue;
      const opinion = this.#opinionOf(id, peer);
      if (opinion === "suspect" || opinion === "silent") confirmed += 1;
    }
    return confirmed;
  }

  /**
   * One entry per watcher whose opinion counts. A watcher without an opinion counts as "alive".
   *
   * A peer with an opinion counts even if it is no watcher by our reckoning: it may know of losses that we
   * have not heard of yet. Its vote also raises the number of votes needed.
   */
  #opinionsThatCount(peer: PeerRecord): ReadonlyMap<NodeId, Opinion> {
    const opinions = new Map<NodeId, Opinion>();
    for (const id of this.#voices(peer)) {
      if (this.weightless(id) || (this.#doubted(id) && !this.#faults.deadWatchersCount)) continue;
      const opinion = this.#opinionOf(id, peer);
      // A new watcher without an opinion has not had the time to form one.
      const sinceTick = peer.watchers.get(id) ?? this.#nowTick;
      const settled = this.#nowTick - sinceTick >= 2 * this.#config.silentTicks;
      if (opinion === undefined && !settled && !this.#faults.deadWatchersCount) continue;
      opinions.set(id, opinion ?? "alive");
    }
    return opinions;
  }

  /** Its watchers as we compute them, and all other peers with an opinion on it. */
  #voices(peer: PeerRecord): Set<NodeId> {
    return new Set([...peer.watchers.keys(), ...peer.heardOpinions.keys()]);
  }

  #opinionOf(watcher: NodeId, peer: PeerRecord): Opinion | undefined {
    if (watcher === this.#config.self) return peer.opinion;
    const origin = this.#peers.get(watcher);
    if (origin === undefined || this.#nowTick >= origin.rumourEndTick) return undefined;
    return peer.heardOpinions.get(watcher);
  }

  /** Whether the watcher itself says that its opinions do not count. */
  weightless(watcher: NodeId): boolean {
    if (watcher === this.#config.self) return this.#health.blind() && !this.#faults.noSelfDistrust;
    const origin = this.#peers.get(watcher);
    if (origin === undefined || this.#nowTick >= origin.rumourEndTick) return false;
    return origin.health >= healthMax;
  }

  /**
   * Whether the watcher may be lost itself. Either two of its watchers cannot reach it, or one cannot and
   * at most one of its watchers is unaccused, as when a whole stretch of the ring goes down at once.
   */
  #doubted(watcher: NodeId): boolean {
    const peer = this.#peers.get(watcher);
    if (peer === undefined) return false;
    if (peer.verdict !== "alive") return true;
    const accusers = this.#accusers(peer);
    if (accusers >= 2 || accusers === 0) return accusers >= 2;
    const reachable = [...peer.watchers.keys()].filter((id) => {
      const other = this.#peers.get(id);
      return other === undefined || this.#accusers(other) === 0;
    });
    return reachable.length <= 1;
  }

  #accusers(peer: PeerRecord): number {
    let accusers = 0;
    for (const id of this.#voices(peer)) {
      const opinion = this.weightless(id) ? undefined : this.#opinionOf(id, peer);
      if (opinion !== undefined && opinion !== "alive" && opinion !== "suspect") accusers += 1;
    }
    return accusers;
  }

  /** Live members beside this peer, us included. */
  peersLeft(peer: PeerRecord): number {
    let left = 1;
    for (const other of this.#peers.values()) {
      if (other !== peer && other.verdict !== "lost") left += 1;
    }
    return left;
  }
}
