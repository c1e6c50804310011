/**
 * Raft: one peer's part in keeping a log that all peers agree on.
 *
 *   follower --silence--> preCandidate --quorum would--> candidate --quorum did--> leader
 *      ^                       |                            |                        |
 *      '------ a leader, a later term, or (leader) no quorum heard or voted out -----'
 *
 * Decides who leads, what is in the log, what of it is committed. Does not decide what entries mean,
 * who should vote (the caller's plan), or how anything reaches a disk or another peer.
 *
 * Drive it with step() and perform the effects in order. Make persist effects durable in order and answer
 * each by the input "persisted"; other effects need not wait for it. Sends may be lost, late, doubled
 * or reordered.
 *
 * Promise to the rest: all peers hand out the same committed entries in the same order. A committed entry
 * is on the disks of a quorum. Where that is one disk, it is on a standby's disk too, while a standby
 * answers (standbys.ts).
 *
 * Source: Ongaro, "Consensus: Bridging Theory and Practice", chapters 3 to 6 and 9.6.
 */
import { assert, type NodeId, type Random, unreachable } from "@gam/core";
import type { Effect, RaftRole } from "./effect.ts";
import { Election } from "./election.ts";
import { Following } from "./following.ts";
import type { Input } from "./input.ts";
import {
  type EntryRange,
  Leadership,
  type PeerProgress,
  type RaftRefusal,
} from "./leader/leadership.ts";
import type { Configuration } from "./log/configuration.ts";
import type { HardState, Restored, Snapshot } from "./log/durable.ts";
import { noRaftFaults, type RaftFaults } from "./log/fault.ts";
import { termMax, termsPerWindowMax, termWindowTicks } from "./log/limits.ts";
import { Log } from "./log/log.ts";
import {
  isHypothetical,
  type Message,
  type PreVote,
  type PreVoteReply,
  type SnapshotChunk,
  type Vote,
  type VoteReply,
} from "./log/message.ts";
import { Outbox } from "./log/outbox.ts";
import { type Electorate, electorate } from "./log/quorum.ts";
import { type RaftConfig, type RaftSettings, settingsOf } from "./log/raft-config.ts";
import { ReadDesk } from "./read-desk.ts";

export class Raft {
  readonly #settings: RaftSettings;
  readonly #faults: RaftFaults;
  readonly #random: Random;
  readonly #log: Log;
  readonly #outbox: Outbox;
  readonly #desk = new ReadDesk();
  readonly #following: Following;
  #term: number;
  /** The term at start. */
  readonly #startTerm: number;
  #votedFor: NodeId | undefined;
  #leader: NodeId | undefined;
  #leadership: Leadership | undefined;
  #election: Election | undefined;
  #nowTick = 0;
  /** When a leader of the present term was last heard. */
  #heardTick = Number.NEGATIVE_INFINITY;
  /** Start of the wait for a leader. After `#patienceTicks` without one, this peer stands for election. */
  #waitTick = 0;
  #patienceTicks: number;
  #written: HardState;
  #lastWrite = 0;
  #announced: { role: RaftRole; term: number; leader: NodeId | undefined };
  #configuration: Configuration;
  #effects: Effect[] = [];
  #snapshot: { readonly snapshot: Snapshot; readonly install: boolean } | undefined;

  /**
   * Shape: `restored` is the result of all earlier persist effects, `blank` for a peer that joins,
   *        bootstrap() for the first one of a cluster. `faults` is for simulations only.
   */
  constructor(
    config: RaftConfig,
    restored: Restored,
    random: Random,
    faults: RaftFaults = noRaftFaults,
  ) {
    this.#settings = settingsOf(config);
    this.#faults = faults;
    this.#random = random;
    this.#log = new Log(restored);
    this.#outbox = new Outbox(faults);
    this.#following = new Following(this.#log, this.#outbox, this.#settings.accepts);
    this.#term = restored.hardState.term;
    this.#startTerm = this.#term;
    this.#votedFor = restored.hardState.votedFor;
    this.#written = restored.hardState;
    this.#announced = { role: "follower", term: this.#term, leader: undefined };
    this.#configuration = this.#log.configuration;
    this.#patienceTicks = this.#drawPatience();
  }

  get role(): RaftRole {
    if (this.#leadership !== undefined) return "leader";
    return this.#election?.role ?? "follower";
  }

  get term(): number {
    return this.#term;
  }

  get leader(): NodeId | undefined {
    return this.#leader;
  }

  get commitIndex(): number {
    return this.#log.commit;
  }

  get lastIndex(): number {
    return this.#log.lastIndex;
  }

  get lastTerm(): number {
    return this.#log.lastTerm;
  }

  /** The configuration that holds: the last one in the log, committed or not. */
  get configuration(): Configuration {
    return this.#log.configuration;
  }

  /** Whether the configuration that holds can no longer be undone. */
  get configurationIsCommitted(): boolean {
    return this.#log.configurationIndex <= this.#log.commit;
  }

  /**
   * Returns: how many ticks may pass before this peer has something to do, if it hears nothing meanwhile.
   *          At least 1.
   */
  get restTicks(): number {
    if (this.#leadership !== undefined) return this.#leadership.restTicks;
    if (this.#election !== undefined || this.#desk.size > 0) return 1;
    return Math.max(1, this.#waitTick + this.#patienceTicks - this.#nowTick);
  }

  /** Returns: the progress of all other members, sorted by id. Empty on a peer that does not lead. */
  progress(): Map<NodeId, PeerProgress> {
    return this.#leadership?.progress() ?? new Map();
  }

  step(input: Input): Effect[] {
    switch (input.kind) {
      case "tick":
        this.#tick();
        break;
      case "received":
        // A peer's messages to itself never come over the wire.
        if (input.from !== this.#settings.self) this.#receive(input.from, input.message);
        break;
      case "persisted":
        assert(input.write <= this.#lastWrite, "only what was asked for is persisted");
        this.#outbox.persisted(input.write);
        break;
      case "propose":
        this.#answer(this.#leadership?.propose(input.data) ?? "notLeader");
        break;
      case "reconfigure":
        this.#answer(this.#leadership?.reconfigure(input) ?? "notLeader");
        break;
      case "read":
        this.#read(input.id);
        break;
      case "transfer":
        if (this.#leadership === undefined) this.#answer("notLeader");
        else this.#answer(this.#leadership.transfer(input.to));
        break;
      case "compact":
        this.#compact(input);
        break;
      default:
        unreachable(input);
    }
    return this.#conclude();
  }

  #answer(answer: EntryRange | RaftRefusal | undefined): void {
    if (answer === undefined) return;
    if (typeof answer === "string") {
      this.#effects.push({ kind: "refused", reason: answer, leader: this.#leader });
    } else {
      this.#effects.push({ kind: "proposed", ...answer });
    }
  }

  #tick(): void {
    const { heartbeatTicks, electionTicksMax, self } = this.#settings;
    this.#nowTick += 1;
    this.#loseReads(this.#desk.takeOlderThan(this.#nowTick - electionTicksMax));
    if (this.#leadership !== undefined) {
      this.#leadership.tick();
      return;
    }
    // Ask again: requests may be lost, and some voters refused only because they last heard the leader later.
    if (this.#nowTick % (2 * heartbeatTicks) === 0) {
      for (const id of this.#desk.unplaced()) this.#askLeader(id);
      this.#askForVotes();
    }
    const { voters, votersOutgoing } = this.#log.configuration;
    const silentTicks = this.#nowTick - this.#waitTick;
    // The only voter need not wait for others.
    const alone = votersOutgoing.length === 0 && voters.length === 1 && voters[0] === self;
    const due = alone ? this.#election === undefined : silentTicks >= this.#patienceTicks;
    if (!due) return;
    if (this.#log.mayStand(self)) this.#stand("preCandidate");
    // A peer without a vote also notices that its leader is silent.
    else if (this.#leader !== undefined) this.#become("follower", undefined);
  }

  /** The only entry for messages: those of other peers, and this peer's promises to itself. */
  #receive(from: NodeId, message: Message): void {
    if (message.term > this.#term) {
      if (message.term > this.#termCeiling()) return this.#ignore(from, message, "far term");
      if (this.#isProtected(message)) return;
      if (!isHypothetical(message)) this.#followTerm(message.term);
    } else if (message.term < this.#term) {
      this.#refuseOldTerm(from, message);
      return;
    }
    switch (message.kind) {
      case "preVote":
      case "vote":
        this.#vote(from, message);
        break;
      case "preVoteReply":
      case "voteReply":
        this.#countVote(from, message);
        break;
      case "append":
        if (!this.#hearLeader(from)) break;
        if (!this.#following.append(from, message)) this.#ignore(from, message, "bad entry");
        break;
      case "snapshotChunk":
        if (!this.#hearLeader(from)) break;
        this.#install(from, message);
        break;
      case "commit":
        if (this.#hearLeader(from)) this.#following.learnCommit(message);
        break;
      case "heartbeat":
        if (!this.#hearLeader(from)) break;
        this.#following.learnCommit(message);
        this.#outbox.send(from, {
          kind: "heartbeatReply",
          term: this.#term,
          round: message.round,
        });
        break;
      case "standNow":
        if (this.#leader === from && this.#leadership === undefined) this.#stand("candidate", true);
        break;
      case "appendReply":
        this.#leadership?.acknowledge(from, message.match);
        break;
      case "appendConflict":
        this.#leadership?.conflict(from, message);
        break;
      case "heartbeatReply":
        this.#leadership?.heartbeatAnswered(from, message.round);
        break;
      case "snapshotReply":
        this.#leadership?.chunkArrived(from, message);
        break;
      case "readRequest":
        this.#leadership?.read(from, message.id);
        break;
      case "readReply":
        if (this.#leader === from) this.#desk.placed(message.id, message.index);
        break;
      default:
        unreachable(message);
    }
  }

  /** A peer that hears its leader ignores other candidates, unless the leader asked for the election. */
  #isProtected(message: Message): boolean {
    if (message.kind !== "preVote" && message.kind !== "vote") return false;
    if (message.kind === "vote" && message.transfer) return false;
    if (this.#leadership !== undefined) return true;
    const silentTicks = this.#nowTick - this.#heardTick;
    return this.#leader !== undefined && silentTicks < this.#settings.electionTicksMin;
  }

  #refuseOldTerm(from: NodeId, message: Message): void {
    switch (message.kind) {
      case "preVote":
        this.#outbox.send(from, { kind: "preVoteReply", term: this.#term, granted: false });
        break;
      case "append":
      case "heartbeat":
      case "snapshotChunk":
        // The answer carries the later term. Without it, an old leader would not learn that it is deposed.
        this.#outbox.send(from, { kind: "heartbeatReply", term: this.#term, round: 0 });
        break;
      default:
        break; // Old news.
    }
  }

  #followTerm(term: number): void {
    this.#term = term;
    this.#votedFor = undefined;
    this.#become("follower", undefined);
  }

  /** The only place where the role changes. */
  #become(role: "follower" | "leader" | Election, leader: NodeId | undefined): void {
    if (this.#leader !== leader) this.#loseReads(this.#desk.takeUnplaced());
    this.#leader = leader;
    this.#leadership = undefined;
    this.#election = undefined;
    this.#waitTick = this.#nowTick;
    this.#patienceTicks = this.#drawPatience();
    if (role === "leader") {
      this.#leadership = new Leadership({
        settings: this.#settings,
        faults: this.#faults,
        term: this.#term,
        log: this.#log,
        outbox: this.#outbox,
      });
    } else if (role !== "follower") {
      this.#election = role;
    }
  }

  #drawPatience(): number {
    const { electionTicksMin, electionTicksMax } = this.#settings;
    return electionTicksMin + this.#random.below(electionTicksMax - electionTicksMin);
  }

  #stand(role: "preCandidate" | "candidate", transfer = false): void {
    const { self } = this.#settings;
    if (!this.#log.mayStand(self)) return;
    if (role === "candidate") {
      this.#term += 1;
      this.#votedFor = self;
    }
    this.#become(new Election(role, transfer), undefined);
    this.#askForVotes();
    // Its own vote counts when it is on disk, as every other vote does.
    if (role === "candidate") {
      this.#outbox.promise(self, { kind: "voteReply", term: this.#term, granted: true });
    } else {
      this.#outbox.send(self, { kind: "preVoteReply", term: this.#term + 1, granted: true });
    }
  }

  #askForVotes(): void {
    const election = this.#election;
    if (election === undefined) return;
    const { lastIndex, lastTerm } = this.#log;
    for (const id of election.unanswered(this.#electorate())) {
      if (id === this.#settings.self) continue;
      if (election.role === "preCandidate") {
        const term = this.#term + 1;
        this.#outbox.send(id, { kind: "preVote", term, lastIndex, lastTerm });
      } else {
        // Waits for the disk. A candidate that lost its term in a crash could stand in it again with a
        // shorter log, and count votes that were given to the longer one.
        const { transfer } = election;
        const term = this.#term;
        this.#outbox.promise(id, { kind: "vote", term, lastIndex, lastTerm, transfer });
      }
    }
  }

  #electorate(): Electorate {
    return electorate(this.#log.configuration, this.#faults);
  }

  /** Answers a vote or pre-vote request of at least this peer's term. */
  #vote(from: NodeId, message: Vote | PreVote): void {
    const isReal = message.kind === "vote";
    const unbound =
      this.#votedFor === from ||
      (this.#votedFor === undefined && this.#leader === undefined) ||
      (!isReal && message.term > this.#term) ||
      (isReal && this.#faults.has("forgetVote"));
    const upToDate =
      this.#log.isUpToDate(message.lastIndex, message.lastTerm) ||
      this.#faults.has("voteForStaleLog");
    const granted = unbound && upToDate;
    if (!isReal) {
      const term = granted ? message.term : this.#term;
      this.#outbox.send(from, { kind: "preVoteReply", term, granted });
    } else if (granted) {
      this.#votedFor = from;
      this.#waitTick = this.#nowTick;
      this.#outbox.promise(from, { kind: "voteReply", term: this.#term, granted });
    } else {
      this.#outbox.send(from, { kind: "voteReply", term: this.#term, granted });
    }
  }

  #countVote(from: NodeId, message: VoteReply | PreVoteReply): void {
    const election = this.#election;
    if (election === undefined) return;
    const isPre = message.kind === "preVoteReply";
    if (isPre !== (election.role === "preCandidate")) return;
    // A yes to a pre-vote of an earlier term says nothing about this one.
    if (isPre && message.granted && message.term !== this.#term + 1) return;
    const outcome = election.count(from, message.granted, this.#electorate());
    if (outcome === "lost") this.#become("follower", undefined);
    else if (outcome === "won" && isPre) this.#stand("candidate");
    else if (outcome === "won") this.#become("leader", this.#settings.self);
  }

  /** Returns: whether `from` can be the leader of this term. If so, this peer follows it. */
  #hearLeader(from: NodeId): boolean {
    if (this.#leadership !== undefined) return false;
    if (this.#leader !== undefined && this.#leader !== from) return false;
    if (this.#leader === undefined) this.#become("follower", from);
    this.#heardTick = this.#nowTick;
    this.#waitTick = this.#nowTick;
    return true;
  }

  #install(from: NodeId, chunk: SnapshotChunk): void {
    const taken = this.#following.takeChunk(from, chunk);
    if (taken === "bad") this.#ignore(from, chunk, "bad snapshot");
    else if (taken !== undefined) this.#snapshot = { snapshot: taken, install: true };
  }

  /** The highest term this peer accepts. Without it, one message could use up all terms. */
  #termCeiling(): number {
    const windows = 1 + Math.floor(this.#nowTick / termWindowTicks);
    return Math.min(termMax, this.#startTerm + windows * termsPerWindowMax);
  }

  #ignore(
    from: NodeId,
    { kind: message, term }: Message,
    reason: Extract<Effect, { kind: "ignored" }>["reason"],
  ): void {
    this.#effects.push({ kind: "ignored", from, message, reason, term });
  }

  #compact({ index, data, whole = false }: Extract<Input, { kind: "compact" }>): void {
    const trailing = whole ? 0 : this.#settings.limits.trailingEntries;
    const snapshot = this.#log.compact(index, data, trailing);
    if (snapshot !== undefined) this.#snapshot = { snapshot, install: false };
  }

  #read(id: string): void {
    const { readsMax } = this.#settings.limits;
    if (this.#leader === undefined || this.#desk.size >= readsMax) {
      this.#loseReads([id]);
      return;
    }
    assert(!this.#desk.has(id), "a read has an id of its own");
    this.#desk.ask(id, this.#nowTick);
    this.#askLeader(id);
  }

  #askLeader(id: string): void {
    if (this.#leader === undefined) return;
    this.#outbox.send(this.#leader, { kind: "readRequest", term: this.#term, id });
  }

  #loseReads(ids: readonly string[]): void {
    for (const id of ids) this.#effects.push({ kind: "readLost", id });
  }

  /** Turns what the step has changed into effects. */
  #conclude(): Effect[] {
    const { self } = this.#settings;
    for (;;) {
      this.#leadership?.settle();
      if (this.#leadership?.resigned) this.#become("follower", undefined);
      this.#write();
      this.#outbox.seal(this.#lastWrite);
      const letters = this.#outbox.take();
      if (letters.length === 0) break;
      for (const { to, message } of letters) {
        if (to === self) this.#receive(self, message);
        else this.#effects.push({ kind: "send", to, message });
      }
    }
    this.#announce();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #write(): void {
    const entries = this.#log.takeUnwritten();
    const snapshot = this.#snapshot?.snapshot;
    const { commit } = this.#log;
    const promised = this.#term !== this.#written.term || this.#votedFor !== this.#written.votedFor;
    if (!promised && entries.length === 0 && snapshot === undefined) return;
    const changed = promised || commit !== this.#written.commit;
    const hardState = { term: this.#term, votedFor: this.#votedFor, commit };
    this.#written = hardState;
    this.#lastWrite += 1;
    this.#effects.push({
      kind: "persist",
      write: this.#lastWrite,
      hardState: changed ? hardState : undefined,
      entries,
      snapshot,
    });
    if (this.#snapshot?.install) {
      this.#effects.push({ kind: "install", snapshot: this.#snapshot.snapshot });
    }
    this.#snapshot = undefined;
  }

  #announce(): void {
    const { role, term, leader } = this;
    const before = this.#announced;
    if (role !== before.role || term !== before.term || leader !== before.leader) {
      this.#announced = { role, term, leader };
      this.#effects.push({ kind: "role", role, term, leader });
    }
    if (this.#configuration !== this.#log.configuration) {
      this.#configuration = this.#log.configuration;
      this.#effects.push({ kind: "configuration", configuration: this.#configuration });
    }
    const entries = this.#log.takeCommitted();
    if (entries.length > 0) this.#effects.push({ kind: "commit", entries });
    for (const id of this.#desk.takeReady(this.#log.commit)) {
      this.#effects.push({ kind: "readReady", id });
    }
  }
}
