/**
 * Membership: which members answer, which are in doubt and which are lost, as one peer sees it.
 *
 *   own opinion   alive --unheard--> suspect --unheard, faster if confirmed--> silent
 *                 alive --host refuses--> refused --whole grace--> gone
 *   verdict       alive ---------> refused ------> lost     by a majority of the watchers that count
 *                   ^--- any sign of life ----------'
 *
 * A few others watch each peer (ring.ts). A watcher probes, asks others to probe for it, and broadcasts
 * its opinion as a rumour. All peers weigh the rumours (court.ts), so they come to the same verdict
 * within one broadcast, and any of them can become leader. Does not decide what a verdict leads to:
 * only the leader commits "node down".
 *
 * Drive it with step(). Time is the number of ticks. Missed ticks hardly count, so a process that was frozen
 * accuses nobody of silence meanwhile. Every effect may be lost or late.
 *
 * Source: Das et al., "SWIM" (2002); Dadgar et al., "Lifeguard" (2018); watchers as in Rapid (2018).
 */
import { type NodeId, unreachable } from "@gam/core";
import { assertMembershipConfig, type MembershipConfig } from "./config.ts";
import { Court } from "./court.ts";
import { Errands, type ProbeReply } from "./errands.ts";
import type { MembershipFaults } from "./faults.ts";
import { votesNeeded } from "./jury.ts";
import { LocalHealth } from "./local-health.ts";
import { counterMax, type Message, type Opinion, type Rumour } from "./message.ts";
import { never, newPeerRecord, type PeerRecord, type Verdict } from "./peer-record.ts";
import { Ring } from "./ring.ts";
import { noteSighting, type Sightings, sightingsFor } from "./sightings.ts";

export type Input =
  /** `lateTicks`: earlier ticks that did not come because this process did not run. */
  | { readonly kind: "tick"; readonly lateTicks: number }
  /** All members, ourselves included, in any order. `workers`: the members that are not managers. */
  | {
      readonly kind: "members";
      readonly ids: readonly NodeId[];
      readonly workers?: readonly NodeId[];
    }
  | { readonly kind: "received"; readonly from: NodeId; readonly message: Message }
  /** Any other frame came from this peer. Optional: it only saves probes, as do the leader's sightings in it. */
  | {
      readonly kind: "heard";
      readonly from: NodeId;
      readonly sightings?: Sightings | undefined;
    }
  /** Broadcast by `from`, which the shell has authenticated. */
  | { readonly kind: "rumour"; readonly from: NodeId; readonly rumour: Rumour }
  /**
   * The peer's host answered a dial with "connection refused". While a watched peer is not connected,
   * the shell dials it at least every 500 ms: a refusal that is not repeated turns into silence.
   */
  | { readonly kind: "refused"; readonly peer: NodeId };

export type Effect =
  | { readonly kind: "send"; readonly to: NodeId; readonly message: Message }
  | { readonly kind: "rumour"; readonly rumour: Rumour }
  | {
      readonly kind: "verdict";
      readonly peer: NodeId;
      readonly verdict: Verdict;
      /** How many watchers support it. */
      readonly watchers: number;
      readonly reason: string;
    };

/** One line of `gam status`. */
export interface PeerStatus {
  readonly peer: NodeId;
  readonly verdict: Verdict;
  readonly reason: string;
  /** Our own opinion, if we watch it. */
  readonly opinion: Opinion | undefined;
  /** Time since its host's last sign of life, if we watch it. */
  readonly silentTicks: number | undefined;
}

/** Managers that watch each peer, if there are so many. Two, as one may be lost together with the peer. */
const managersWatching = 2;
/** How far one accusation may raise an incarnation. Without a limit it could exhaust the range. */
const incarnationsPerWord = 2 ** 20;
/** How long after a pause of this process all messages that waited are read. */
const wakeTicks = 2;

export class Membership {
  readonly #config: MembershipConfig;
  readonly #faults: MembershipFaults;
  readonly #health: LocalHealth;
  readonly #errands = new Errands();
  readonly #court: Court;
  /** From the last "members" input; includes ourselves if we are a member. */
  #members: ReadonlySet<NodeId> = new Set();
  /** All members but ourselves, sorted. */
  readonly #peers = new Map<NodeId, PeerRecord>();
  #workers: ReadonlySet<NodeId> = new Set();
  #ring = new Ring([]);
  #watched: PeerRecord[] = [];
  #nowTick = 0;
  #round = 0;
  #incarnation = 0;
  #sequence = 0;
  #rumourTick = never;
  #rumourDue = false;
  #refutedTick = never;
  /** Messages from then on were sent while this process ran. */
  #awakeTick = never;

  constructor(config: MembershipConfig, faults: MembershipFaults = {}) {
    assertMembershipConfig(config);
    this.#config = config;
    this.#faults = faults;
    this.#health = new LocalHealth(config);
    const isManager = (id: NodeId): boolean => !this.#workers.has(id);
    this.#court = new Court({
      config,
      faults,
      isManager,
      health: this.#health,
      peers: this.#peers,
    });
  }

  step(input: Input): Effect[] {
    switch (input.kind) {
      case "tick":
        return this.#tick(input.lateTicks);
      case "members":
        this.#setMembers(input.ids, new Set(input.workers));
        return [];
      case "received": {
        const peer = this.#peers.get(input.from);
        if (peer === undefined) return []; // It left while its message was under way.
        return [...this.#spoke(peer), ...this.#receive(peer, input.message)];
      }
      case "heard": {
        const peer = this.#peers.get(input.from);
        if (peer === undefined) return [];
        this.#see(input.sightings ?? {});
        return this.#spoke(peer);
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

  /** We ourselves and unknown peers count as alive. */
  verdictOf(peer: NodeId): { readonly verdict: Verdict; readonly reason: string } {
    const { verdict, reason } = this.#peers.get(peer) ?? { verdict: "alive", reason: "" };
    return { verdict, reason };
  }

  /**
   * Whether the peer has answered us, or a helper of ours, since we started. False again after a loss that
   * ended only because no watcher reports it any more.
   */
  hasSpoken(peer: NodeId): boolean {
    return this.#peers.get(peer)?.hasSpoken ?? false;
  }

  /**
   * For display only. True when the verdict is alive and, if we watch the peer, we hear it. Also works when
   * too few watchers are left for a verdict.
   */
  hears(peer: NodeId): boolean {
    const record = this.#peers.get(peer);
    if (record === undefined) return true;
    const unheardTicks = this.#nowTick - record.heardTick;
    const ours = record.watchers.has(this.#config.self);
    return record.verdict === "alive" && !(ours && unheardTicks >= this.#config.silentTicks);
  }

  /**
   * Returns: in how many ticks a peer whose host refuses connections counts as lost; undefined for others, and where
   *          only other watchers know since when.
   */
  graceTicks(peer: NodeId): number | undefined {
    const record = this.#peers.get(peer);
    if (record?.verdict !== "refused" || record.refusedSinceTick === undefined) return undefined;
    const { refusedGraceTicks } = this.#config;
    return Math.max(0, refusedGraceTicks - (this.#nowTick - record.refusedSinceTick));
  }

  /**
   * Returns: how many ticks may pass at once before there is something to do, if no message comes
   *          meanwhile; 1 while anything is in doubt.
   */
  get restTicks(): number {
    const isBusy = this.#rumourDue || !this.#errands.isEmpty || this.#health.score() > 0;
    if (isBusy || this.#isRecent(this.#refutedTick)) return 1;
    let dueTick = Number.POSITIVE_INFINITY;
    for (const peer of this.#peers.values()) {
      if (!this.#isCalm(peer)) return 1;
      if (peer.watchers.has(this.#config.self)) dueTick = Math.min(dueTick, this.#probeDue(peer));
    }
    return Math.max(1, dueTick - this.#nowTick);
  }

  /** The sightings that a leader sends to `to` with a heartbeat: the peers watched by `to` that we hear. */
  sightingsFor(to: NodeId): Sightings | undefined {
    if (this.#faults.sightsAll)
      return Object.fromEntries([...this.#peers.keys()].map((id) => [id, 0]));
    const sinceTick = this.#faults.sightsWhatWaited ? never : this.#awakeTick;
    const facts = { nowTick: this.#nowTick, sinceTick, config: this.#config };
    return sightingsFor(to, this.#peers, facts);
  }

  /** 0 (well) to `healthMax` (blind: our opinions do not count). */
  localHealth(): number {
    return this.#health.score();
  }

  /** The peers that we watch, sorted: keep connections to them. The live ones watch us as well. */
  watched(): NodeId[] {
    return this.#watched.map(({ id }) => id);
  }

  /** Every member but ourselves, sorted. */
  table(): PeerStatus[] {
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

  /** Called for each change of any node, even if the members stay the same. */
  #setMembers(ids: readonly NodeId[], workers: ReadonlySet<NodeId>): void {
    const members = new Set(ids);
    const sameMembers = isSame(members, this.#members);
    if (sameMembers && isSame(workers, this.#workers)) return;
    this.#workers = workers;
    if (!sameMembers) this.#replaceMembers(members);
    this.#assignWatchers();
  }

  #replaceMembers(members: ReadonlySet<NodeId>): void {
    const before = new Map(this.#peers);
    this.#members = members;
    this.#peers.clear();
    for (const id of [...members].sort()) {
      if (id === this.#config.self) continue;
      const peer = before.get(id) ?? newPeerRecord(id, this.#nowTick + this.#config.startTicks);
      this.#peers.set(id, peer);
    }
    for (const peer of this.#peers.values()) {
      for (const origin of peer.heardOpinions.keys()) {
        if (!this.#peers.has(origin)) peer.heardOpinions.delete(origin);
      }
    }
    this.#ring = new Ring(members);
  }

  /** A lost peer watches nobody, so this runs after every change of members and of lost peers. */
  #assignWatchers(): void {
    const { self, watchersMax } = this.#config;
    const live = (id: NodeId): boolean => this.#peers.get(id)?.verdict !== "lost";
    for (const peer of this.#peers.values()) {
      const watchers = this.#watchersOf(peer.id, watchersMax, live);
      const wasOurs = peer.watchers.has(self);
      peer.watchers = new Map(
        Array.from(watchers, (id) => [id, peer.watchers.get(id) ?? this.#nowTick] as const),
      );
      if (!wasOurs && peer.watchers.has(self)) {
        // We did not watch it before, so its silence counts from here.
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

  /** Workers alone convict nobody, so there are managers among the watchers of each peer. */
  #watchersOf(id: NodeId, max: number, live: (id: NodeId) => boolean): Iterable<NodeId> {
    const nearest = this.#ring.watchersOf(id, max, live);
    if (this.#workers.size === 0) return nearest;
    const isManager = (other: NodeId): boolean => live(other) && !this.#workers.has(other);
    return new Set([...nearest, ...this.#ring.watchersOf(id, managersWatching, isManager)]);
  }

  // What we see ourselves.

  #tick(lateTicks: number): Effect[] {
    // Messages sent while this process did not run still wait in queues, so a longer pause does not count
    // as silence of other peers.
    this.#nowTick += 1 + Math.min(lateTicks, this.#config.lateTicksMax);
    if (lateTicks >= this.#config.lateTicksMax) {
      this.#health.stalled(this.#nowTick, lateTicks);
      this.#awakeTick = this.#nowTick + wakeTicks;
    }
    const effects = this.#errands.tick(this.#nowTick).map(toSend);
    this.#checkHealth();
    this.#court.tick(this.#nowTick);
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

  #probe(peer: PeerRecord): Effect[] {
    const { lostProbeTicks, helpTicks } = this.#config;
    const effects: Effect[] = [];
    const lost = peer.verdict === "lost";
    if (lost && this.#faults.lostNotProbed) return [];
    const pauseTicks = lost ? lostProbeTicks : this.#probeTicks(peer);
    const unheardTicks = this.#nowTick - peer.heardTick;
    const early = peer.heardTick > this.#nowTick; // A new peer, which still has time to be heard.
    const sinceProbeTicks = this.#nowTick - peer.probeTick;
    const due = sinceProbeTicks >= pauseTicks && (early || unheardTicks >= pauseTicks);
    if (due || (!lost && this.#isWayDue(peer))) {
      peer.probeTick = this.#nowTick;
      effects.push(toSend({ to: peer.id, message: this.#ping(peer) }));
    }
    const askDue = this.#nowTick - peer.askTick >= helpTicks;
    if (!lost && this.#silence(peer) >= helpTicks && askDue && !this.#faults.noIndirectProbe) {
      effects.push(...this.#ask(peer));
    }
    return effects;
  }

  #isCalm({ verdict, opinion, opinionTick, refusedSinceTick, heardOpinions }: PeerRecord): boolean {
    if (verdict !== "alive" || opinion !== "alive" || refusedSinceTick !== undefined) return false;
    for (const heard of heardOpinions.values()) if (heard !== "alive") return false;
    return !this.#isRecent(opinionTick);
  }

  /** Returns: when we ping a peer that is not in doubt, unless we hear it before. */
  #probeDue(peer: PeerRecord): number {
    const { spokeTick, heardTick, sightedTick, probeTick } = peer;
    // A new peer, or one that has not answered our last ping yet.
    if (heardTick > this.#nowTick || probeTick > heardTick) return this.#nowTick;
    const dueTick = Math.max(heardTick, probeTick) + this.#probeTicks(peer);
    if (!this.#isSighted(peer)) return dueTick;
    const { wayTicks, sightedProbeTicks } = this.#config;
    const wayTick = Math.max(spokeTick, probeTick) + wayTicks;
    return Math.min(dueTick, wayTick, sightedTick + sightedProbeTicks);
  }

  #isSighted({ sightedTick }: PeerRecord): boolean {
    return this.#nowTick - sightedTick < this.#config.sightedProbeTicks;
  }

  #probeTicks(peer: PeerRecord): number {
    return this.#isSighted(peer) ? this.#config.sightedProbeTicks : this.#config.probeTicks;
  }

  /** Whether only the leader has heard it for so long that our own connection to it may be broken. */
  #isWayDue(peer: PeerRecord): boolean {
    const sinceTick = Math.max(peer.spokeTick, peer.probeTick);
    return this.#isSighted(peer) && this.#nowTick - sinceTick >= this.#config.wayTicks;
  }

  #see(sightings: Sightings): void {
    for (const peer of this.#watched) {
      const agoTicks = sightings[peer.id];
      if (agoTicks === undefined) continue;
      noteSighting(peer, this.#nowTick, this.#faults.sightingsAgeless ? 0 : agoTicks);
    }
  }

  #ping(peer: PeerRecord): Message {
    this.#round += 1;
    const { incarnation } = peer;
    const ping = { kind: "ping", round: this.#round, incarnation: this.#incarnation } as const;
    return peer.opinion === "alive" ? ping : { ...ping, accused: incarnation };
  }

  /** Asks its other watchers first: they are connected to it already. */
  #ask(peer: PeerRecord): Effect[] {
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

  /** Time since its host's last sign of life: a message from the peer, or a refusal. */
  #silence(peer: PeerRecord): number {
    return this.#nowTick - Math.max(peer.heardTick, peer.refusedTick);
  }

  #reconsider(peer: PeerRecord): void {
    const { suspectTicks, refusedGraceTicks } = this.#config;
    const silence = this.#silence(peer) / this.#health.stretch();
    const since = peer.refusedSinceTick;
    // Deadlines move with our health and with others' opinions, but only a sign of life ends a doubt.
    // After refusals the agent may be starting: it then holds its port before it can answer.
    const startTicks = since === undefined ? 0 : this.#config.startTicks;
    if (silence >= this.#patience(peer) + startTicks) this.#think(peer, "silent");
    else if (since !== undefined && silence < suspectTicks) {
      const overdue = this.#nowTick - since >= refusedGraceTicks || this.#faults.noGrace;
      this.#think(peer, overdue ? "gone" : "refused");
    } else if (silence >= suspectTicks && peer.opinion !== "silent") this.#think(peer, "suspect");
  }

  /** How much silence convicts. Shrinks with each other watcher that suspects, as in Lifeguard. */
  #patience(peer: PeerRecord): number {
    const { silentTicks, silentTicksMax } = this.#config;
    if (this.#faults.noPatienceAlone) return silentTicks;
    const confirmed = this.#court.confirmations(peer);
    const wanted = Math.max(1, votesNeeded(peer.watchers.size, this.#court.peersLeft(peer)) - 1);
    const share = Math.min(1, Math.log(confirmed + 1) / Math.log(wanted + 1));
    return silentTicksMax - (silentTicksMax - silentTicks) * share;
  }

  /** The only place where our own opinion changes. */
  #think(peer: PeerRecord, opinion: Opinion): void {
    if (peer.opinion === opinion) return;
    peer.opinion = opinion;
    peer.opinionTick = this.#nowTick;
    this.#rumourDue = true;
    // Ping the suspect at once, so that it can refute before it is convicted.
    if (opinion === "suspect") peer.probeTick = never;
  }

  // What others tell us.

  #receive(peer: PeerRecord, message: Message): Effect[] {
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
        return this.#alive(target, "another peer reached it");
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

  #hear(origin: PeerRecord, rumour: Rumour): Effect[] {
    // Broadcasts may overtake each other. A restarted origin counts from one again; its rumours count as
    // soon as those from before the restart have expired.
    const valid = this.#nowTick < origin.rumourEndTick;
    if (valid && rumour.sequence <= origin.sequence) return [];
    origin.sequence = rumour.sequence;
    origin.health = rumour.health;
    origin.rumourEndTick = this.#nowTick + 4 * rumour.repeatTicks;
    const effects: Effect[] = [];
    if (this.#learn(origin, rumour.incarnation))
      effects.push(...this.#alive(origin, "says that it is alive"));
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
      // Only the peer itself raises its incarnation: a made-up higher one would void all other opinions.
      if (incarnation < peer.incarnation) continue; // Refuted since.
      peer.heardOpinions.set(origin.id, opinion);
      const news = opinion === "alive" && before.get(id) !== "alive";
      if (news && !this.#court.weightless(origin.id)) {
        effects.push(...this.#evidence(peer, "another peer heard it"));
      }
    }
    return effects;
  }

  /** Returns: true when the peer has refuted all opinions about it so far. */
  #learn(peer: PeerRecord, incarnation: number): boolean {
    if (incarnation <= peer.incarnation) return false;
    peer.incarnation = incarnation;
    peer.heardOpinions.clear();
    return true;
  }

  #refute(accused: number): void {
    if (accused < this.#incarnation || this.#faults.noRefutation) return;
    if (!isNext(this.#incarnation, accused)) return;
    // Others refuse messages with a higher one, so they would not hear this peer any more.
    this.#incarnation = Math.min(accused + 1, counterMax);
    this.#refutedTick = this.#nowTick;
    this.#rumourDue = true;
  }

  #spoke(peer: PeerRecord): Effect[] {
    peer.spokeTick = this.#nowTick;
    return this.#alive(peer, "answers again");
  }

  /** The peer itself has answered, to us or to a helper of ours. */
  #alive(peer: PeerRecord, reason: string): Effect[] {
    peer.hasSpoken = true;
    peer.heardTick = this.#nowTick;
    peer.refusedTick = never;
    peer.refusedSinceTick = undefined;
    peer.helped = true;
    this.#think(peer, "alive");
    return this.#evidence(peer, reason);
  }

  #evidence(peer: PeerRecord, reason: string): Effect[] {
    peer.evidenceTick = this.#nowTick;
    if (peer.verdict === "alive") return [];
    return this.#become(peer, "alive", 1, reason);
  }

  // What follows.

  #judge(peer: PeerRecord): Effect[] {
    const { suspectTicks, unsupportedTicks } = this.#config;
    if (peer.verdict === "alive" && peer.opinion === "alive" && peer.heardOpinions.size === 0) {
      return [];
    }
    const { finding, votes, watchers } = this.#court.weigh(peer);
    if (finding !== "none") peer.supportedTick = this.#nowTick;
    // After a sign of life, wait: the watchers need time to withdraw earlier votes.
    if (this.#nowTick - peer.evidenceTick < suspectTicks) return [];
    if (peer.verdict !== "lost") {
      if (finding === "silent") {
        const hosts = watchers === 1 ? "host that probes" : "hosts that probe";
        const reason = `does not answer ${votes} of ${watchers} ${hosts} it`;
        return this.#become(peer, "lost", votes, reason);
      }
      if (finding === "gone") {
        const reason = "agent has not answered for 15 s, but its host does";
        return this.#become(peer, "lost", votes, reason);
      }
      if (finding === "refused" && peer.verdict === "alive") {
        return this.#become(peer, "refused", votes, "agent does not answer, but its host does");
      }
    }
    if (peer.verdict === "alive" || finding !== "none") return [];
    // No sign of life, but nobody doubts the peer either: we have missed the news that it is back. A blind
    // peer would conclude this of everybody.
    if (this.#health.blind() || this.#nowTick - peer.supportedTick < unsupportedTicks) return [];
    // That is no proof of life; hasSpoken is true again only when the peer answers.
    peer.hasSpoken = false;
    return this.#become(peer, "alive", 0, "no watcher reports it missing any more");
  }

  /** The only place where a verdict changes, and so the only one that reports it. */
  #become(peer: PeerRecord, verdict: Verdict, watchers: number, reason: string): Effect[] {
    // Its earlier rumours no longer count, and after a restart it numbers them from one again.
    peer.sequence = 0;
    peer.rumourEndTick = never;
    const liveBefore = peer.verdict !== "lost";
    peer.verdict = verdict;
    peer.reason = reason;
    peer.supportedTick = this.#nowTick;
    if (liveBefore !== (verdict !== "lost")) this.#assignWatchers();
    return [{ kind: "verdict", peer: peer.id, verdict, watchers, reason }];
  }

  /** Whether news is still repeated: as long as a rumour is valid, in case one was lost. */
  #isRecent(tick: number): boolean {
    return this.#nowTick - tick < 4 * this.#config.repeatTicks;
  }

  #broadcast(): Effect[] {
    const { repeatTicks, settledTicks } = this.#config;
    const recent = (tick: number): boolean => this.#isRecent(tick);
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

function isSame(a: ReadonlySet<NodeId>, b: ReadonlySet<NodeId>): boolean {
  return a.size === b.size && [...a].every((id) => b.has(id));
}

/** Whether an accusation in that incarnation is near enough to answer with the next one. */
function isNext(known: number, told: number): boolean {
  return told - known <= incarnationsPerWord;
}

function toSend({ to, message }: ProbeReply): Effect {
  return { kind: "send", to, message };
}
