/**
 * Peer: everything that one agent decides, as one deterministic machine.
 *
 * It joins the smaller ones: Raft orders the log, the store applies it, membership finds out which peers
 * answer, the leader's plans turn services into tasks, the worker turns tasks into engine actions. It has
 * no clock, no randomness, no ids and no IO of its own. The agent drives it with real sockets, disks
 * and engines, the simulator with simulated ones.
 *
 *   step(input, nowMs): Effect[]
 *
 * Perform effects in the order given. Answer each disk step with `persisted`; the peer returns one disk step
 * at a time, and holds back the effects that must wait for it.
 */
import {
  type Entry,
  entryBytesMax,
  Raft,
  type Effect as RaftEffect,
  raftLimits,
} from "@gam/consensus";
import { type Mint, type NodeId, type ProposalId, type Random, unreachable } from "@gam/core";
import {
  Membership,
  type Input as MembershipInput,
  defaultConfig as membershipDefaults,
} from "@gam/membership";
import { movesOf } from "@gam/orchestrator";
import {
  type Change,
  type Event,
  isPlanned,
  noRebalance,
  type RebalanceMove,
  Store,
  spokenDialect,
  type Usage,
  type View,
} from "@gam/state";
import { Worker, type WorkerInput, workerLimitsDefault } from "@gam/worker";
import { type Asker, refusalOfRaft, type Sender } from "./access/authority.ts";
import { Troubles } from "./access/troubles.ts";
import { Vetting } from "./access/vetting.ts";
import type { Effect } from "./io/effect.ts";
import { raftMessage, raftTiming } from "./io/heartbeat.ts";
import type { Input } from "./io/input.ts";
import type { GossipMessage, Message, PeerMessage } from "./io/message.ts";
import type { PeerConfig } from "./io/peer-config.ts";
import type { ProposalOutcome } from "./io/proposals.ts";
import { Readings } from "./io/readings.ts";
import { Compaction } from "./journal/compaction.ts";
import type { Recovered } from "./journal/journal.ts";
import { Accounts } from "./leader/accounts.ts";
import { busyCpu } from "./leader/heat.ts";
import { leaderFacts, type RaftShown } from "./leader/leader-facts.ts";
import { Leading } from "./leader/leading.ts";
import { Writing } from "./leader/writing.ts";
import { Arranging } from "./node/arranging.ts";
import { Describing } from "./node/describing.ts";
import { Measuring, tasksToMeasure } from "./node/measuring.ts";
import { assignedOf, membersOf, whatMoved } from "./node/moved.ts";
import { ownPlans } from "./node/own-plan.ts";
import { Rest } from "./node/rest.ts";
import { Steering } from "./node/steering.ts";
import { UsageNews } from "./node/usage-news.ts";
import { CatchUp } from "./recovery/catch-up.ts";
import { Lives } from "./recovery/lives.ts";
import { standStill } from "./recovery/standstill.ts";

/** One tick. All machines in this package count in it. */
export const tickMs = 50;

/** Ticks of the peer in one tick of the worker. */
const workerTicks = workerLimitsDefault.tickMs / tickMs;

export interface PeerParts {
  readonly config: PeerConfig;
  /** What this peer's disk has. */
  readonly recovered: Recovered;
  readonly random: Random;
  readonly mint: Mint;
}

export class Peer {
  readonly #config: PeerConfig;
  readonly #mint: Mint;
  readonly #raft: Raft;
  readonly #store = new Store();
  readonly #troubles = new Troubles();
  readonly #vetting: Vetting;
  readonly #describing: Describing;
  readonly #journal: Recovered["journal"];
  readonly lives: Lives;
  readonly #membership: Membership;
  readonly #worker: Worker;
  readonly #writing: Writing;
  readonly #usage = new Map<NodeId, Usage>();
  readonly #usageNews = new UsageNews();
  readonly #accounts = new Accounts();
  /** The state has shown once, since this peer started, what became of every task here. */
  #hasAccounted = false;
  readonly #arranging = new Arranging();
  readonly #steering: Steering;
  readonly #readings: Readings;
  #leading: Leading | undefined;
  /** Why this peer stopped applying the log: see standstill.ts. */
  #halted: string | undefined;
  #leader: NodeId | undefined;
  readonly #catchUp: CatchUp;
  readonly #measuring = new Measuring();
  readonly #rest = new Rest();
  readonly #compaction: Compaction;
  #nowTick = 0;
  #nowMs = 0;
  #effects: Effect[] = [];
  /** Effects of Raft that are not performed yet. */
  readonly #raftEffects: RaftEffect[] = [];

  constructor({ config, recovered, random, mint }: PeerParts) {
    this.#config = config;
    this.#mint = mint;
    const { self, dialect = spokenDialect } = config;
    this.#vetting = new Vetting(dialect, (...trouble) => this.#trouble(...trouble));
    this.#journal = recovered.journal;
    if (!config.isMute) this.#journal.speak(dialect.newest);
    this.lives = new Lives({
      self,
      journal: recovered.journal,
      view: this.#store,
      isMute: config.isMute ?? false,
      lastIndex: () => this.#raft.lastIndex,
      tell: (to, body) => this.#tell(to, body),
      note: (text, fields) => this.#note("warn", text, fields),
    });
    this.#steering = new Steering(self);
    this.#catchUp = new CatchUp({ mint, ask: (id) => this.#stepRaft({ kind: "read", id }) });
    this.#readings = new Readings({
      mint,
      ask: (id) => this.#stepRaft({ kind: "read", id }),
      settle: (request, fresh) => this.#effects.push({ kind: "read", request, fresh }),
    });
    const { snapshot } = recovered.restored;
    if (snapshot !== undefined) this.#vetting.restoreOwn(this.#store, snapshot);
    const { faults = {}, logEntriesMax } = config;
    this.#compaction = new Compaction({ snapshotIndex: snapshot?.index ?? 0, logEntriesMax });
    const trailingEntries = Math.min(raftLimits.trailingEntries, logEntriesMax);
    this.#raft = new Raft(
      { self, ...raftTiming, limits: { trailingEntries }, accepts: this.#vetting },
      recovered.restored,
      random,
      faults.raft,
    );
    this.#membership = new Membership({ ...membershipDefaults, self }, faults.membership);
    this.#worker = new Worker(workerLimitsDefault, faults.worker);
    this.#writing = new Writing({
      ...{ self, store: this.#store, vetting: this.#vetting },
      leader: () => this.#leader,
      leading: () => this.#leading,
      configuration: () => this.#raft.configuration,
      log: (data) => this.#log(data),
      send: (to, body) => this.#tell(to, body),
      refuse: (peer, reason) => this.#refuse(peer, reason),
      verify: (peer, address) => this.#effects.push({ kind: "verify", peer, address }),
      tell: (...trouble) => this.#trouble(...trouble),
    });
    this.#describing = new Describing({
      ...{ self, view: this.#store, dialect: dialect.newest },
      speaks: (newest) => this.#journal.speaks(newest),
      hasAccounted: () => this.#worker.hasAccounted,
      propose: (change, settle) => this.#propose([change], settle),
      tell: (...trouble) => this.#trouble(...trouble),
    });
    if (snapshot !== undefined) {
      this.#membersMoved();
      this.#tasksMoved();
      if (this.#store.isRemoved(self)) this.#effects.push({ kind: "removed" });
    }
  }

  get view(): View {
    return this.#store;
  }
  get self(): NodeId {
    return this.#config.self;
  }
  /** The leader that this peer knows of. */
  get leader(): NodeId | undefined {
    return this.#leader;
  }
  get raft(): RaftShown {
    return this.#raft;
  }
  /** How many ticks the next input may carry. At least 1; may change with each step. */
  get restTicks(): number {
    return this.#rest.ticks(this.#nowTick, this.#raft, this.#membership);
  }
  /** How long this peer has known no leader. */
  get leaderlessMs(): number {
    return this.#readings.leaderlessTicks * tickMs;
  }
  /** The latest usage that each peer reported of its host, this peer included. */
  get usage(): ReadonlyMap<NodeId, Usage> {
    return this.#usage;
  }
  /** Tasks that would be better off on another node, by this peer's copy. Nothing moves. */
  movesWanted(movesMax: number): readonly RebalanceMove[] {
    const busy = [...this.#usage].filter(([, { cpu }]) => cpu >= busyCpu);
    const hot = new Set(busy.map(([id]) => id));
    const memory = { ...(this.#store.cluster?.Rebalance ?? noRebalance), isAsked: true };
    return movesOf(this.#store, memory, { nowMs: this.#nowMs, usage: this.#usage, hot, movesMax });
  }
  /** Problems for an operator: entries that could not be applied, objects that the plans skip. */
  get troubles(): readonly string[] {
    return this.#troubles.all;
  }
  /** Whether that peer answers this one. For display only. */
  hears(id: NodeId): boolean {
    return this.#membership.hears(id);
  }

  /** As graceTicks() of Membership. For display only. */
  graceMs(id: NodeId): number | undefined {
    const ticks = this.#membership.graceTicks(id);
    return ticks && ticks * tickMs;
  }
  /** Whether this copy has all that was committed before this peer started; and why it takes no part any more. */
  get standing(): { readonly isCaughtUp: boolean; readonly halted: string | undefined } {
    return { isCaughtUp: this.#leader !== undefined && this.#catchUp.isDone, halted: this.#halted };
  }

  step(input: Input, nowMs: number): Effect[] {
    this.#nowMs = nowMs;
    if (this.lives.isOver) this.#effects.push(...this.lives.conclude(input));
    else if (this.#halted !== undefined) this.#standStill(input, this.#halted);
    else this.#live(input);
    const step = this.#journal.take();
    if (step !== undefined) this.#effects.push({ kind: "disk", step });
    const effects = this.#effects;
    this.#effects = [];
    this.#rest.note(this.#nowTick, input, effects);
    return effects;
  }

  #standStill(input: Input, reason: string): void {
    for (let left = input.kind === "tick" ? (input.ticks ?? 1) : 0; left > 0; left -= 1) {
      this.#troubles.tick();
      this.#readings.tick(false);
    }
    this.#effects.push(...standStill(input, reason, this.#journal));
  }

  #live(input: Input): void {
    this.#take(input);
    this.#lead();
    this.#arrange();
  }

  #take(input: Input): void {
    switch (input.kind) {
      case "tick":
        for (let left = (input.ticks ?? 1) - 1; left > 0; left -= 1) this.#tick(0);
        return this.#tick(input.lateTicks);
      case "received":
        return this.#receive({ id: input.from, sender: input.sender }, input.message);
      case "gossiped":
        return this.#hear(input.from, input.gossip);
      case "refused":
        return this.#stepMembership({ kind: "refused", peer: input.peer });
      case "persisted":
        for (const write of this.#journal.persisted()) this.#stepRaft({ kind: "persisted", write });
        return;
      case "propose":
        return this.#proposeFor(input.request, input.changes);
      case "read":
        return this.#readings.add(input.request, this.#leader !== undefined);
      case "worker":
        return this.#stepWorker(input.input);
      case "arranged":
        return this.#arranged(input.index);
      case "described":
        this.#describing.say(input.said);
        return this.#describing.look(this.#nowTick, this.#leader !== undefined);
      case "measured":
        this.#usage.set(this.self, input.usage);
        if (this.#usageNews.isNews(input.usage)) {
          this.#effects.push({ kind: "gossip", gossip: { topic: "usage", body: input.usage } });
        }
        return;
      case "asked":
        return this.#leading?.heard(input.id, input.answer);
      case "withheld":
        return this.#withhold(input);
      case "resign":
        return this.#resign();
      case "recover":
        if (this.#leader === undefined) this.lives.recover({ ...input, atMs: this.#nowMs });
        return;
      default:
        unreachable(input);
    }
  }

  #tick(lateTicks: number): void {
    this.#nowTick += 1;
    this.#troubles.tick();
    this.lives.tick();
    this.#arranging.tick();
    this.#stepMembership({ kind: "tick", lateTicks });
    this.#stepRaft({ kind: "tick" });
    if (this.#nowTick % workerTicks === 0) this.#stepWorker({ kind: "tick", nowMs: this.#nowMs });
    this.#writing.tick();
    this.#leading?.tick();
    this.#readings.tick(this.#leader !== undefined);
    this.#catchUp.look(this.#leader !== undefined);
    this.#describing.look(this.#nowTick, this.#leader !== undefined);
    if (this.#measuring.isDue(this.#nowTick, this.#store)) {
      this.#effects.push({ kind: "measure", tasks: tasksToMeasure(this.#store, this.self) });
    }
    this.#compact();
  }

  #receive(asker: Asker & { readonly sender: Sender }, message: Message): void {
    const { id: from } = asker;
    switch (message.channel) {
      case "raft": {
        const sightings = from === this.#leader ? message.sightings : undefined;
        this.#stepMembership({ kind: "heard", from, sightings });
        if (!this.lives.isOwn(from, message.life)) return;
        const why = refusalOfRaft(this.#store, asker, message.body, this.#raft.term);
        if (why !== undefined) return this.#refuse(from, why);
        this.#accounts.heard(from, message.accounted === true);
        return this.#stepRaft({ kind: "received", from, message: message.body });
      }
      case "member":
        return this.#stepMembership({ kind: "received", from, message: message.body });
      case "peer":
        break;
      default:
        unreachable(message);
    }
    const { body } = message;
    if (body.kind === "life") return this.lives.hear(from, body.life, body.index);
    if (!this.lives.isOwn(from, message.life)) return;
    const { proposals } = this.#writing;
    if (body.kind === "declined") return proposals.decline(body.id);
    if (body.kind === "refused") {
      if (from === this.#leader) proposals.settle(body.id, body);
      return;
    }
    if (body.kind === "steered") {
      if (this.#store.node(from) === undefined) return;
      this.#steering.heard(from, body.index);
      return this.#steered();
    }
    this.#writing.hear(asker, body.proposal);
  }

  /** The mesh logs it, and `gam status` shows it. */
  #withhold({ peer, what, reason }: Extract<Input, { kind: "withheld" }>): void {
    const name = this.#store.node(peer)?.Description.Hostname || peer;
    const text = `Did not give ${what} to ${name}: ${reason}`;
    this.#refuse(peer, `${what}: ${reason}`);
    const at = new Date(this.#nowMs).toISOString();
    this.#troubles.isNews(`withheld ${peer} ${what}`, `${at} ${text}`);
  }

  #refuse(peer: NodeId, reason: string): void {
    this.#effects.push({ kind: "refused", peer, reason });
  }

  #hear(from: NodeId, gossip: GossipMessage): void {
    if (gossip.topic === "rumour") {
      return this.#stepMembership({ kind: "rumour", from, rumour: gossip.body });
    }
    // Only the removal of a node deletes its usage, so that of a stranger would stay for ever.
    if (this.#store.node(from) !== undefined) this.#usage.set(from, gossip.body);
  }

  // Raft

  #stepRaft(input: Parameters<Raft["step"]>[0]): void {
    this.#performRaft(this.#raft.step(input));
  }

  /** Performs effects in order. Effects that Raft returns meanwhile go behind those that wait. */
  #performRaft(effects: readonly RaftEffect[]): void {
    const isFirst = this.#raftEffects.length === 0;
    this.#raftEffects.push(...effects);
    if (!isFirst) return;
    for (let at = 0; at < this.#raftEffects.length; at += 1) {
      this.#performOne(this.#raftEffects[at] as RaftEffect);
    }
    this.#raftEffects.length = 0;
  }

  #performOne(effect: RaftEffect): void {
    switch (effect.kind) {
      case "send": {
        const message = raftMessage(effect, {
          life: this.lives.id,
          membership: this.#membership,
          accounted: effect.to === this.#leader && this.#accounted(),
        });
        this.#effects.push({ kind: "send", to: effect.to, message });
        break;
      }
      case "persist":
        this.#journal.request(effect);
        break;
      case "commit":
        for (const entry of effect.entries) this.#apply(entry);
        break;
      case "install":
        this.#install(effect.snapshot.index, effect.snapshot.data);
        break;
      case "role":
        this.#follow(effect.role === "leader", effect.leader, effect.term);
        break;
      case "readReady":
      case "readLost":
        this.#answerRead(effect.id, effect.kind === "readReady");
        break;
      case "proposed":
      case "refused":
        // Proposals are retried, and the leader computes its plans again.
        break;
      case "configuration":
        this.#note("info", "Voter set changed", { ...effect.configuration });
        break;
      case "ignored": {
        const { from: peer, message, reason, term } = effect;
        const text = `Ignored a message from a peer: ${reason}`;
        this.#trouble(`ignored ${peer} ${reason}`, text, { peer, message, term });
        break;
      }
      default:
        unreachable(effect);
    }
  }

  #apply(entry: Entry): void {
    if (this.#halted !== undefined) return;
    const barrier = this.#vetting.barrierAt(this.#store, entry);
    if (barrier !== undefined) return this.#halt(barrier);
    const applied = this.#vetting.apply(this.#store, entry);
    if (applied !== undefined) {
      const { proposal, outcome, events } = applied;
      this.#leading?.settle(proposal.id);
      this.#happen(events, { planned: proposal.changes.every(isPlanned) });
      this.#writing.proposals.settle(proposal.id, outcome);
    }
    // A leader that has applied an entry of its own term has applied everything that was committed before.
    if (this.#raft.role !== "leader" || entry.term !== this.#raft.term) return;
    if (this.#leading === undefined) this.#leading = new Leading(this.#mint, this.#config.faults);
  }

  /** Applies no further entry: the state stays where it is. */
  #halt(reason: string): void {
    this.#halted = reason;
    this.#raftEffects.length = 0;
    this.#follow(false, undefined, this.#raft.term);
    this.#writing.proposals.giveUp(reason);
    this.#trouble("halted", "This host takes no part in the cluster any more", { reason });
  }

  #install(index: number, data: Uint8Array): void {
    const events = this.#store.restore(this.#vetting.takeDump(index, data));
    this.#compaction.took(index);
    this.#happen(events, { snapshot: true });
    this.#writing.proposals.settleAll((id) => this.#store.outcomeOf(id));
    this.#note("info", "Replaced the state with a snapshot", { index });
  }

  #follow(leads: boolean, leader: NodeId | undefined, term: number): void {
    if (!leads) {
      this.#leading = undefined;
      this.#accounts.clear();
    }
    if (leader === this.#leader) return;
    this.#leader = leader;
    this.#note("info", leader === undefined ? "No leader is known" : "A leader was elected", {
      leader,
      term,
    });
    this.#stepWorker({ kind: "led", led: leader !== undefined });
    if (leader === undefined) return;
    this.#writing.proposals.lead();
    this.#catchUp.look(true);
    this.#readings.place();
  }

  #compact(): void {
    const { index } = this.#store;
    const { badIndex } = this.#vetting;
    const due = this.#compaction.due({ index, badIndex, journal: this.#journal });
    if (due === undefined) return;
    this.#compaction.took(index);
    this.#stepRaft({ kind: "compact", index, data: this.#store.dump(), whole: due.whole });
  }

  #resign(): void {
    const { voters } = this.#raft.configuration;
    const heir = voters.find(
      (id) => id !== this.self && this.#membership.verdictOf(id).verdict === "alive",
    );
    if (heir !== undefined) this.#stepRaft({ kind: "transfer", to: heir });
  }

  // Reads and writes

  #answerRead(id: string, fresh: boolean): void {
    if (this.#catchUp.answered(id, fresh)) this.#tasksMoved();
    this.#readings.answered(id, fresh);
  }

  /** A client's write. It does not wait for a leader that has been missing for long. */
  #proposeFor(request: number, changes: readonly Change[]): void {
    const settle = (answer: ProposalOutcome): void =>
      void this.#effects.push({ kind: "proposed", request, answer });
    if (this.#readings.isHopeless(this.#leader !== undefined)) {
      const seconds = Math.round(this.leaderlessMs / 1000);
      return settle({ kind: "lost", message: `this host has had no leader for ${seconds} s` });
    }
    this.#propose(changes, settle);
  }

  #propose(changes: readonly Change[], settle: (answer: ProposalOutcome) => void): ProposalId {
    const id = this.#mint.id() as ProposalId;
    this.#writing.propose({ id, atMs: this.#nowMs, changes }, settle);
    return id;
  }

  /** Returns: whether Raft took the entry. It does not when this peer does not lead, or cannot write now. */
  #log(data: Uint8Array): boolean {
    if (this.#raft.role !== "leader") return false;
    const effects = this.#raft.step({ kind: "propose", data: [data] });
    this.#performRaft(effects);
    return effects.some(({ kind }) => kind === "proposed");
  }

  // What the leader does

  #lead(): void {
    const leading = this.#leading;
    if (leading === undefined || !leading.isDue) return;
    const { votersMax, voteSilenceMs } = this.#config;
    const facts = leaderFacts({
      ...{ self: this.self, nowMs: this.#nowMs, usage: this.#usage },
      trust: (id) => (id === this.self ? this.#accounted() : this.#accounts.has(id)),
      ...{ raft: this.#raft, membership: this.#membership },
      ...{ votersMax, voteSilenceTicks: voteSilenceMs / tickMs },
    });
    for (const ask of leading.takeAsks(this.#store)) this.#effects.push({ kind: "ask", ...ask });
    const planned = leading.plan(this.#store, facts);
    const changes = this.#vetting.sound(planned, this.#store, (change, why) => {
      leading.unfit(change, why);
    });
    if (changes.length > 0) {
      const id = this.#mint.id() as ProposalId;
      const data = this.#vetting.write({ id, atMs: this.#nowMs, changes });
      if (data.length > entryBytesMax) {
        leading.tooLarge(changes);
      } else {
        // Noted before it is logged: a cluster of one applies it at once.
        leading.proposed(id, changes);
        if (!this.#log(data)) leading.settle(id, false);
      }
    }
    for (const { id: object, why: reason, ticks } of leading.takeHeld()) {
      const seconds = (ticks * tickMs) / 1000;
      const text = "Plans skip an object for a while";
      this.#trouble(`plan ${object}`, text, { object, reason, seconds });
    }
    const voters = leading.planVoters(this.#store, facts);
    if (voters !== undefined) this.#stepRaft({ kind: "reconfigure", ...voters });
  }

  // Membership and worker

  #stepMembership(input: MembershipInput): void {
    for (const effect of this.#membership.step(input)) {
      switch (effect.kind) {
        case "send":
          this.#effects.push({
            kind: "send",
            to: effect.to,
            message: { channel: "member", body: effect.message },
          });
          break;
        case "rumour":
          this.#effects.push({ kind: "gossip", gossip: { topic: "rumour", body: effect.rumour } });
          break;
        case "verdict":
          this.#leading?.stir();
          if (effect.verdict === "lost") this.#effects.push({ kind: "drop", peer: effect.peer });
          this.#note(effect.verdict === "lost" ? "warn" : "info", `Peer is ${effect.verdict}`, {
            peer: effect.peer,
            reason: effect.reason,
          });
          break;
        default:
          unreachable(effect);
      }
    }
  }

  #stepWorker(input: WorkerInput): void {
    if (this.#config.isMute) return;
    for (const effect of this.#worker.step(input)) {
      switch (effect.kind) {
        case "engine":
          this.#effects.push({ kind: "engine", action: effect.action });
          break;
        case "report":
          // One change that the state refuses must not keep the others from being reported.
          this.#propose(
            this.#vetting.sound(effect.changes, this.#store, this.#unreportable),
            (answer) => this.#stepWorker({ kind: "settled", committed: answer.kind === "applied" }),
          );
          break;
        default:
          unreachable(effect);
      }
    }
  }

  #accounted(): boolean {
    this.#hasAccounted ||= this.#worker.hasAccounted;
    return this.#hasAccounted;
  }

  #happen(
    events: readonly Event[],
    by: { readonly snapshot?: boolean; readonly planned?: boolean },
  ): void {
    if (events.length === 0) return;
    this.#leading?.notice(events, by.planned);
    this.#arranging.notice(events);
    const { index } = this.#store;
    this.#effects.push({ kind: "happened", index, events, ...(by.snapshot && { snapshot: true }) });
    const { members, tasks, removed } = whatMoved(events, this.self);
    if (removed) this.#effects.push({ kind: "removed" });
    if (members) this.#membersMoved();
    if (tasks || members) this.#tasksMoved();
  }

  #arrange(): void {
    if (!this.#arranging.isDue(this.#catchUp.isDone) || this.#config.isMute) return;
    const { index } = this.#store;
    this.#steering.planned(this.#store);
    const plans = ownPlans(this.#store, this.self, (...trouble) => this.#trouble(...trouble));
    if (plans === undefined) this.#arranged(index);
    else this.#effects.push({ kind: "arrange", ...plans, index });
  }

  #arranged(index: number): void {
    for (const to of this.#steering.arranged(index)) this.#tell(to, { kind: "steered", index });
    this.#steered();
  }

  #steered(): void {
    this.#stepWorker({ kind: "steered", index: this.#steering.reached(this.#store) });
  }

  #membersMoved(): void {
    this.#steered();
    const { effect, input } = membersOf(this.#store);
    this.#effects.push(effect);
    this.#stepMembership(input);
    for (const id of this.#usage.keys()) {
      if (id !== this.self && this.#store.node(id) === undefined) this.#usage.delete(id);
    }
  }

  #tasksMoved(): void {
    const caughtUp = this.#catchUp.isDone;
    const assigned = assignedOf(this.#store, { self: this.self, caughtUp });
    if (assigned !== undefined) this.#stepWorker(assigned);
  }

  readonly #unreportable = (_: Change, reason: string): void => {
    this.#trouble("report", "Cannot report the state of a task", { reason });
  };

  /** Logs a trouble when it is news, and keeps it for "gam status". */
  #trouble(key: string, text: string, fields: Readonly<Record<string, unknown>>): void {
    const shown = Object.entries(fields).map(([name, value]) => `${name} ${value}`);
    const at = new Date(this.#nowMs).toISOString();
    if (!this.#troubles.isNews(key, `${at} ${text}: ${shown.join(", ")}`)) return;
    this.#note("warn", text, fields);
  }

  #tell(to: NodeId, body: PeerMessage): void {
    const message = { channel: "peer", life: this.lives.id, body } as const;
    this.#effects.push({ kind: "send", to, message });
  }

  #note(level: "info" | "warn", text: string, fields: Readonly<Record<string, unknown>>): void {
    this.#effects.push({ kind: "note", level, text, fields });
  }
}
