/**
 * Membership: which members answer, which are in doubt and which are lost, as one peer sees it.
 *
 *   own opinion   alive --unheard--> suspect --unheard, faster if confirmed--> silent
 *                 alive --host refuses--> refused --whole grace--> gone
 *   verdict       alive ---------> refused ------> lost     by a majority of the watchers that count
 *                   ^--- any sign of life ----------'
 *
 * Each peer is watched by a few others (ring.ts). A watcher probes, has others probe for it, and
 * broadcasts its opinion as a rumour. Everybody weighs the rumours (jury.ts) and so comes to the same
 * verdict within one broadcast, a peer that becomes leader tomorrow included. What a verdict leads to
 * is decided elsewhere: only the leader commits "node down".
 *
 * Drive it with step(). Time is the number of tick inputs and hardly any of the ticks that
 * did not come, so a frozen process accuses nobody of having been silent meanwhile. Every effect may be lost or late.
 *
 * Source: Das et al., "SWIM" (2002); Dadgar et al., "Lifeguard" (2018); watchers as in Rapid (2018).
 */
import { type NodeId, unreachable } from "@gam/core";
import { assertMembershipConfig, type MembershipConfig } from "./config.ts";
import { type Answer, Errands } from "./errands.ts";
import type { Faults } from "./faults.ts";
import { findingOf, votesNeeded } from "./jury.ts";
import { LocalHealth } from "./local-health.ts";
import { healthMax, type Message, type Opinion, type Rumour } from "./message.ts";
import { Ring } from "./ring.ts";

export type Verdict = "alive" | "refused" | "lost";

export type Input =
  /** `lateTicks`: ticks that were due before this one and did not come, as this process did not run. */
  | { readonly kind: "tick"; readonly lateTicks: number }
  /** All members, ourselves included, in any order. */
  | { readonly kind: "members"; readonly ids: readonly NodeId[] }
  | { readonly kind: "received"; readonly from: NodeId; readonly message: Message }
  /** Any other frame came from this peer. Optional: it only spares probes. */
  | { readonly kind: "heard"; readonly from: NodeId }
  /** Broadcast by `from`, which the shell has authenticated. */
  | { readonly kind: "rumour"; readonly from: NodeId; readonly rumour: Rumour }
  /**
   * The peer's host answered a dial with "connection refused". While a watched peer is not connected
   * the shell dials it at least every 500 ms, for a refusal that is not renewed turns into silence.
   */
  | { readonly kind: "refused"; readonly peer: NodeId };

export type Effect =
  | { readonly kind: "send"; readonly to: NodeId; readonly message: Message }
  | { readonly kind: "rumour"; readonly rumour: Rumour }
  | {
      readonly kind: "verdict";
      readonly peer: NodeId;
      readonly verdict: Verdict;
      /** How many watchers carry it. */
      readonly watchers: number;
      readonly reason: string;
    };

/** One line of `gam status`. */
export interface Standing {
  readonly peer: NodeId;
  readonly verdict: Verdict;
  readonly reason: string;
  /** What we think ourselves, if we watch it. */
  readonly opinion: Opinion | undefined;
  /** Since its host last gave us a sign, if we watch it. */
  readonly silentTicks: number | undefined;
}

const never = Number.NEGATIVE_INFINITY;

interface Peer {
  readonly id: NodeId;
  incarnation: number;
  verdict: Verdict;
  reason: string;
  /** The latest sign of life by any way. Its own or a helper's word; others' word included. */
  evidenceTick: number;
  /** When the votes last carried the verdict. */
  supportedTick: number;
  /** From which on silence counts. Lies ahead while the peer need not have been heard yet. */
  heardTick: number;
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

export class Membership {
  readonly #config: MembershipConfig;
  readonly #faults: Faults;
  readonly #health: LocalHealth;
  readonly #errands = new Errands();
  /** All members but ourselves, sorted. */
  #peers = new Map<NodeId, Peer>();
  #ring = new Ring([]);
  #watched: Peer[] = [];
  #nowTick = 0;
  #round = 0;
  #incarnation = 0;
  #sequence = 0;
  #rumourTick = never;
  #rumourDue = false;
  #refutedTick = never;

  constructor(config: MembershipConfig, faults: Faults = {}) {
    assertMembershipConfig(config);
    this.#config = config;
    this.#faults = faults;
    this.#health = new LocalHealth(config);
  }

  step(input: Input): Effect[] {
    switch (input.kind) {
      case "tick":
        return this.#tick(input.lateTicks);
      case "members":
        this.#setMembers(input.ids);
        return [];
      case "received": {
        const peer = this.#peers.get(input.from);
        if (peer === undefined) return []; // It left while its message was under way.
        return [...this.#alive(peer, "answers"), ...this.#receive(peer, input.message)];
      }
      case "heard": {
        const peer = this.#peers.get(input.from);
        return peer === undefined ? [] : this.#alive(peer, "answers");
      }
      case "rumour": {
        const origin = this.#peers.get(input.from);
        return origin === undefined ? [] : this.#hear(origin, input.rumour);
      }
      case "refused": {
        const peer = this.#peers.get(input.peer);
        if (peer === undefined) return [];
        peer.refusedTick = this.#nowTick;
        peer.refusedSinceTick ??= this.#nowTick;
        return [];
      }
      default:
        return unreachable(input);
    }
  }

  /** Ourselves and strangers count as alive: nobody has said otherwise. */
  verdictOf(peer: NodeId): { readonly verdict: Verdict; readonly reason: string } {
    const { verdict, reason } = this.#peers.get(peer) ?? { verdict: "alive", reason: "" };
    return { verdict, reason };
  }

  /** 0 (well) to `healthMax` (blind: our opinions weigh nothing). */
  localHealth(): number {
    return this.#health.score();
  }

  /** The peers that we watch, sorted: keep connections to them. The live ones watch us as well. */
  watched(): NodeId[] {
    return this.#watched.map(({ id }) => id);
  }

  /** Every member but ourselves, sorted. */
  table(): Standing[] {
    return [...this.#peers.values()].map((peer) => {
      const ours = peer.watchers.has(this.#config.self);
      return {
        peer: peer.id,
        verdict: peer.verdict,
        reason: peer.reason,
        opinion: ours ? peer.opinion : undefined,
        silentTicks: ours ? Math.max(0, this.#silence(peer)) : undefined,
      };
    });
  }

  // Members and who watches them.

  #setMembers(ids: readonly NodeId[]): void {
    const before = this.#peers;
    this.#peers = new Map();
    for (const id of [...new Set(ids)].sort()) {
      if (id === this.#config.self) continue;
      const peer = before.get(id) ?? newPeer(id, this.#nowTick + this.#config.startTicks);
      this.#peers.set(id, peer);
    }
    for (const peer of this.#peers.values()) {
      for (const origin of peer.heardOpinions.keys()) {
        if (!this.#peers.has(origin)) peer.heardOpinions.delete(origin);
      }
    }
    this.#ring = new Ring(ids);
    this.#assignWatchers();
  }

  /** Who is lost watches nobody, so this follows every change of members and of who is lost. */
  #assignWatchers(): void {
    const { self, watchersMax } = this.#config;
    const live = (id: NodeId): boolean => this.#peers.get(id)?.verdict !== "lost";
    for (const peer of this.#peers.values()) {
      const watchers = this.#ring.watchersOf(peer.id, watchersMax, live);
      const wasOurs = peer.watchers.has(self);
      peer.watchers = new Map(
        watchers.map((id) => [id, peer.watchers.get(id) ?? this.#nowTick] as const),
      );
      if (!wasOurs && peer.watchers.has(self)) {
        // We did not listen before, so its silence counts from here.
        peer.heardTick = Math.max(peer.heardTick, this.#nowTick);
        peer.probeTick = never;
      }
      if (wasOurs && !peer.watchers.has(self)) {
        peer.opinion = "alive";
        peer.opinionTick = never;
        this.#rumourDue = true;
      }
    }
    this.#watched = [...this.#peers.values()].filter((peer) => peer.watchers.has(self));
  }

  // What we see ourselves.

  #tick(lateTicks: number): Effect[] {
    // What others sent while this process did not run waits in queues that it has yet to read, so a
    // longer pause is no silence of theirs.
    this.#nowTick += 1 + Math.min(lateTicks, this.#config.lateTicksMax);
    if (lateTicks >= this.#config.lateTicksMax) this.#health.stalled(this.#nowTick, lateTicks);
    const effects = this.#errands.tick(this.#nowTick).map(toSend);
    this.#checkHealth();
    for (const peer of this.#watched) effects.push(...this.#probe(peer));
    for (const peer of this.#watched) this.#reconsider(peer);
    for (const peer of this.#peers.values()) effects.push(...this.#judge(peer));
    effects.push(...this.#broadcast());
    return effects;
  }

  #checkHealth(): void {
    const neighbours = this.#watched.filter((peer) => peer.verdict !== "lost");
    const silent = neighbours.filter((peer) => this.#silence(peer) >= this.#config.suspectTicks);
    this.#health.tick(this.#nowTick, { all: neighbours.length, silent: silent.length });
  }

  #probe(peer: Peer): Effect[] {
    const { lostProbeTicks, probeTicks, helpTicks } = this.#config;
    const effects: Effect[] = [];
    const lost = peer.verdict === "lost";
    if (lost && this.#faults.lostNotProbed) return [];
    const pauseTicks = lost ? lostProbeTicks : probeTicks;
    const unheardTicks = this.#nowTick - peer.heardTick;
    const early = peer.heardTick > this.#nowTick; // Not heard yet, and it may take its time.
    const sinceProbeTicks = this.#nowTick - peer.probeTick;
    if (sinceProbeTicks >= pauseTicks && (early || unheardTicks >= pauseTicks)) {
      peer.probeTick = this.#nowTick;
      effects.push(toSend({ to: peer.id, message: this.#ping(peer) }));
    }
    const askDue = this.#nowTick - peer.askTick >= helpTicks;
    if (!lost && unheardTicks >= helpTicks && askDue && !this.#faults.noIndirectProbe) {
      effects.push(...this.#ask(peer));
    }
    return effects;
  }

  #ping(peer: Peer): Message {
    this.#round += 1;
    const { incarnation } = peer;
    const ping = { kind: "ping", round: this.#round, incarnation: this.#incarnation } as const;
    return peer.opinion === "alive" ? ping : { ...ping, accused: incarnation };
  }

  /** Its other watchers first: they are connected to it already. */
  #ask(peer: Peer): Effect[] {
    const answering = (id: NodeId): boolean => {
      const helper = this.#peers.get(id);
      if (helper === undefined || helper === peer || helper.verdict !== "alive") return false;
      return !helper.watchers.has(this.#config.self) || helper.opinion === "alive";
    };
    const candidates = new Set([...[...peer.watchers.keys()].sort(), ...this.watched()]);
    const helpers = [...candidates].filter(answering).slice(0, this.#config.helpersMax);
    if (helpers.length === 0) return [];
    const unanswered = peer.askTick !== never && !peer.helped;
    if (unanswered) this.#health.helpersSilent(this.#nowTick);
    this.#round += 1;
    peer.askTick = this.#nowTick;
    peer.askRound = this.#round;
    peer.helped = false;
    const message: Message = { kind: "ask", round: this.#round, peer: peer.id };
    return helpers.map((to) => toSend({ to, message }));
  }

  /** Since its host last gave a sign: a word from the peer, or a refusal. */
  #silence(peer: Peer): number {
    return this.#nowTick - Math.max(peer.heardTick, peer.refusedTick);
  }

  #reconsider(peer: Peer): void {
    const { suspectTicks, refusedGraceTicks } = this.#config;
    const silence = this.#silence(peer) / this.#health.stretch();
    const since = peer.refusedSinceTick;
    let opinion: Opinion = "alive";
    if (silence >= this.#patience(peer)) opinion = "silent";
    else if (since !== undefined) {
      const overdue = this.#nowTick - since >= refusedGraceTicks || this.#faults.noGrace;
      opinion = overdue ? "gone" : "refused";
    } else if (silence >= suspectTicks) opinion = "suspect";
    this.#think(peer, opinion);
  }

  /** How much silence convicts. Shrinks with each watcher that suspects as well, as in Lifeguard. */
  #patience(peer: Peer): number {
    const { self, silentTicks, silentTicksMax } = this.#config;
    if (this.#faults.noPatienceAlone) return silentTicks;
    let confirmed = 0;
    for (const id of peer.watchers.keys()) {
      if (id === self || this.#weightless(id)) continue;
      const opinion = this.#opinionOf(id, peer);
      if (opinion === "suspect" || opinion === "silent") confirmed += 1;
    }
    const wanted = Math.max(1, votesNeeded(peer.watchers.size, this.#peersLeft(peer)) - 1);
    const share = Math.min(1, Math.log(confirmed + 1) / Math.log(wanted + 1));
    return silentTicksMax - (silentTicksMax - silentTicks) * share;
  }

  /** The only place where our own opinion changes. */
  #think(peer: Peer, opinion: Opinion): void {
    if (peer.opinion === opinion) return;
    peer.opinion = opinion;
    peer.opinionTick = this.#nowTick;
    this.#rumourDue = true;
    // The suspect is told at once, so that it can refute before it is convicted.
    if (opinion === "suspect") peer.probeTick = never;
  }

  // What others tell us.

  #receive(peer: Peer, message: Message): Effect[] {
    switch (message.kind) {
      case "ping": {
        this.#learn(peer, message.incarnation);
        if (message.accused !== undefined) this.#refute(message.accused);
        const { round } = message;
        const ack: Message = { kind: "ack", round, incarnation: this.#incarnation };
        return [toSend({ to: peer.id, message: ack })];
      }
      case "ack":
        this.#learn(peer, message.incarnation);
        return this.#errands.acked(message.round, peer.id, message.incarnation).map(toSend);
      case "ask": {
        const target = this.#peers.get(message.peer);
        if (target === undefined) return [];
        const ping = this.#ping(target);
        const dueTick = this.#nowTick + this.#config.nackTicks;
        const errand = { asker: peer.id, askedRound: message.round, peer: target.id, dueTick };
        if (!this.#errands.take(this.#round, errand)) return [];
        return [toSend({ to: target.id, message: ping })];
      }
      case "reached": {
        const target = this.#peers.get(message.peer);
        if (target === undefined || target.askRound !== message.round) return [];
        target.helped = true;
        this.#learn(target, message.incarnation);
        return this.#alive(target, "answers others");
      }
      case "unreached": {
        const target = this.#peers.get(message.peer);
        if (target !== undefined && target.askRound === message.round) target.helped = true;
        return [];
      }
      default:
        return unreachable(message);
    }
  }

  #hear(origin: Peer, rumour: Rumour): Effect[] {
    // Broadcasts may overtake each other. After its restart the origin counts from one again, and is
    // heard as soon as what its former life said is void.
    const valid = this.#nowTick < origin.rumourEndTick;
    if (valid && rumour.sequence <= origin.sequence) return [];
    origin.sequence = rumour.sequence;
    origin.health = rumour.health;
    origin.rumourEndTick = this.#nowTick + 4 * rumour.repeatTicks;
    const effects: Effect[] = [];
    if (this.#learn(origin, rumour.incarnation)) effects.push(...this.#alive(origin, "refutes"));
    const before = new Map<NodeId, Opinion>();
    for (const peer of this.#peers.values()) {
      const opinion = peer.heardOpinions.get(origin.id);
      if (opinion === undefined) continue;
      before.set(peer.id, opinion);
      peer.heardOpinions.delete(origin.id);
    }
    for (const { peer: id, opinion, incarnation } of rumour.opinions) {
      if (id === this.#config.self && opinion !== "alive") this.#refute(incarnation);
      const peer = this.#peers.get(id);
      if (peer === undefined || peer === origin) continue;
      this.#learn(peer, incarnation);
      if (incarnation < peer.incarnation) continue; // Refuted since.
      peer.heardOpinions.set(origin.id, opinion);
      const news = opinion === "alive" && before.get(id) !== "alive";
      if (news && !this.#weightless(origin.id)) {
        effects.push(...this.#evidence(peer, "another peer has heard it"));
      }
    }
    return effects;
  }

  /** True when the peer has refuted whatever was said of it so far. */
  #learn(peer: Peer, incarnation: number): boolean {
    if (incarnation <= peer.incarnation) return false;
    peer.incarnation = incarnation;
    peer.heardOpinions.clear();
    return true;
  }

  #refute(accused: number): void {
    if (accused < this.#incarnation || this.#faults.noRefutation) return;
    this.#incarnation = accused + 1;
    this.#refutedTick = this.#nowTick;
    this.#rumourDue = true;
  }

  /** The peer itself has spoken, to us or to somebody who did so for us. */
  #alive(peer: Peer, how: string): Effect[] {
    peer.heardTick = this.#nowTick;
    peer.refusedTick = never;
    peer.refusedSinceTick = undefined;
    this.#think(peer, "alive");
    return this.#evidence(peer, how);
  }

  #evidence(peer: Peer, how: string): Effect[] {
    peer.evidenceTick = this.#nowTick;
    if (peer.verdict === "alive") return [];
    return this.#become(peer, "alive", 1, `${how} again`);
  }

  // What follows.

  #judge(peer: Peer): Effect[] {
    const { suspectTicks, unsupportedTicks } = this.#config;
    if (peer.verdict === "alive" && peer.opinion === "alive" && peer.heardOpinions.size === 0) {
      return [];
    }
    const opinions = this.#opinionsThatCount(peer);
    const needed = this.#faults.oneWatcherIsEnough
      ? 1
      : votesNeeded(opinions.length, this.#peersLeft(peer));
    const { finding, votes } = findingOf(opinions, needed);
    if (finding !== "none") peer.supportedTick = this.#nowTick;
    // Votes that were cast before the latest sign of life are given time to be taken back.
    if (this.#nowTick - peer.evidenceTick < suspectTicks) return [];
    if (peer.verdict !== "lost") {
      if (finding === "silent") {
        const reason = `silent to ${votes} of ${opinions.length} watchers`;
        return this.#become(peer, "lost", votes, reason);
      }
      if (finding === "gone") {
        const reason = "agent has not answered for 15 s, though its host does";
        return this.#become(peer, "lost", votes, reason);
      }
      if (finding === "refused" && peer.verdict === "alive") {
        return this.#become(peer, "refused", votes, "agent does not answer, its host does");
      }
    }
    if (peer.verdict === "alive" || finding !== "none") return [];
    // No sign of life, but nobody doubts it either: we have missed the news that it is back. A peer
    // that hears nobody would think so of everybody.
    if (this.#health.blind() || this.#nowTick - peer.supportedTick < unsupportedTicks) return [];
    return this.#become(peer, "alive", 0, "no watcher misses it any more");
  }

  /**
   * One entry per watcher whose word has weight. One that says nothing is content.
   *
   * Who has an opinion counts even if we do not see why it watches: it may know of losses that we have
   * yet to hear of. Its vote raises the number of votes needed as well.
   */
  #opinionsThatCount(peer: Peer): Opinion[] {
    const opinions: Opinion[] = [];
    for (const id of this.#voices(peer)) {
      if (this.#weightless(id) || (this.#doubted(id) && !this.#faults.deadWatchersCount)) continue;
      const opinion = this.#opinionOf(id, peer);
      // A watcher that took over a moment ago and says nothing has not had the time to find out.
      const sinceTick = peer.watchers.get(id) ?? this.#nowTick;
      const settled = this.#nowTick - sinceTick >= 2 * this.#config.silentTicks;
      if (opinion === undefined && !settled && !this.#faults.deadWatchersCount) continue;
      opinions.push(opinion ?? "alive");
    }
    return opinions;
  }

  /** Its watchers as we compute them, and whoever else watches it. */
  #voices(peer: Peer): Set<NodeId> {
    return new Set([...peer.watchers.keys(), ...peer.heardOpinions.keys()]);
  }

  #opinionOf(watcher: NodeId, peer: Peer): Opinion | undefined {
    if (watcher === this.#config.self) return peer.opinion;
    const origin = this.#peers.get(watcher);
    if (origin === undefined || this.#nowTick >= origin.rumourEndTick) return undefined;
    return peer.heardOpinions.get(watcher);
  }

  /** Its eyes are not to be trusted, and it says so itself. */
  #weightless(watcher: NodeId): boolean {
    if (watcher === this.#config.self) return this.#health.blind() && !this.#faults.noSelfDistrust;
    const origin = this.#peers.get(watcher);
    if (origin === undefined || this.#nowTick >= origin.rumourEndTick) return false;
    return origin.health >= healthMax;
  }

  /**
   * It may be lost itself: two watchers cannot reach it, or one cannot and nobody accuses that one of
   * the same, as where a whole stretch of the ring went down at once.
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

  #accusers(peer: Peer): number {
    let accusers = 0;
    for (const id of this.#voices(peer)) {
      const opinion = this.#weightless(id) ? undefined : this.#opinionOf(id, peer);
      if (opinion !== undefined && opinion !== "alive" && opinion !== "suspect") accusers += 1;
    }
    return accusers;
  }

  /** Live members beside this one. */
  #peersLeft(peer: Peer): number {
    let left = 1;
    for (const other of this.#peers.values()) {
      if (other !== peer && other.verdict !== "lost") left += 1;
    }
    return left;
  }

  /** The only place where a verdict changes, and so the only one that reports it. */
  #become(peer: Peer, verdict: Verdict, watchers: number, reason: string): Effect[] {
    const liveBefore = peer.verdict !== "lost";
    peer.verdict = verdict;
    peer.reason = reason;
    peer.supportedTick = this.#nowTick;
    if (liveBefore !== (verdict !== "lost")) this.#assignWatchers();
    return [{ kind: "verdict", peer: peer.id, verdict, watchers, reason }];
  }

  #broadcast(): Effect[] {
    const { repeatTicks, settledTicks } = this.#config;
    // News is repeated for as long as a rumour is valid, in case it was lost once.
    const recent = (tick: number): boolean => this.#nowTick - tick < 4 * repeatTicks;
    const told = this.#watched.filter(
      (peer) => peer.opinion !== "alive" || recent(peer.opinionTick),
    );
    const settled = told.every((peer) => peer.verdict === "lost" && !recent(peer.opinionTick));
    const pauseTicks = settled && !recent(this.#refutedTick) ? settledTicks : repeatTicks;
    const repeat = told.length > 0 || recent(this.#refutedTick);
    const sinceTicks = this.#nowTick - this.#rumourTick;
    if (!this.#rumourDue && !(repeat && sinceTicks >= pauseTicks)) return [];
    this.#rumourDue = false;
    this.#rumourTick = this.#nowTick;
    this.#sequence += 1;
    const rumour: Rumour = {
      sequence: this.#sequence,
      incarnation: this.#incarnation,
      health: this.#faults.noSelfDistrust ? 0 : this.#health.score(),
      repeatTicks: pauseTicks,
      opinions: told.map(({ id, opinion, incarnation }) => ({ peer: id, opinion, incarnation })),
    };
    return [{ kind: "rumour", rumour }];
  }
}

function toSend({ to, message }: Answer): Effect {
  return { kind: "send", to, message };
}

function newPeer(id: NodeId, heardTick: number): Peer {
  return {
    id,
    incarnation: 0,
    verdict: "alive",
    reason: "",
    evidenceTick: never,
    supportedTick: never,
    heardTick,
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
