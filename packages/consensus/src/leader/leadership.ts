/**
 * Leadership: everything that only a leader does, for one term. Each term gets a new one.
 *
 * Messages and proposals only note facts. settle() then decides from the facts: what is committed, which
 * reads are answered, which entries each member gets, whether the configuration moves on, and whether
 * this peer still leads. So a lost or doubled message costs time and nothing else.
 *
 * Does not decide who leads (raft.ts). Writes nothing: the step persists the entries that it appends to
 * the log, and they count here when the peer's acknowledgement to itself comes back.
 */
import { assert, type NodeId } from "@gam/core";
import {
  type Configuration,
  isJoint,
  isVoter,
  membersOf,
  settled,
  towards,
  writeConfiguration,
} from "../log/configuration.ts";
import type { Entry } from "../log/durable.ts";
import type { RaftFaults } from "../log/fault.ts";
import { appendEntriesMax, entryBytesMax } from "../log/limits.ts";
import type { Log } from "../log/log.ts";
import type { Append, AppendConflict, Commit, Message, SnapshotReply } from "../log/message.ts";
import type { Outbox } from "../log/outbox.ts";
import { agreed, type Electorate, electorate, reachedByQuorum } from "../log/quorum.ts";
import type { RaftSettings } from "../log/raft-config.ts";
import { Progress } from "./progress.ts";
import { ReadRounds } from "./read-rounds.ts";
import { type StandbyDisk, Standbys } from "./standbys.ts";

/** How far one peer is, as its leader sees it. */
export interface PeerProgress {
  /** Its last log entry that is known to be on disk. */
  readonly match: number;
  /** Entries that it lacks. */
  readonly laggingEntries: number;
  /** Whether it answered within `electionTicksMin`. */
  readonly recentlyActive: boolean;
  readonly snapshotting: boolean;
}

export type RaftRefusal =
  /** Ask `leader`, if one is known. */
  | "notLeader"
  /** Earlier entries must be committed first, or leadership is being handed over. Ask again later. */
  | "busy"
  /** An entry is larger than entryBytesMax. */
  | "tooLarge"
  /** There would be no voters, or the peer to hand over to is no other voter. */
  | "invalid"
  /** The configuration is already the wanted one. */
  | "unchanged";

/** The entries of a proposal. It is committed once exactly these, by index and term, are. */
export interface EntryRange {
  readonly term: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
}

export interface LeadershipParts {
  readonly settings: RaftSettings;
  readonly faults: RaftFaults;
  readonly term: number;
  readonly log: Log;
  readonly outbox: Outbox;
}

export class Leadership {
  readonly #settings: RaftSettings;
  readonly #faults: RaftFaults;
  readonly #term: number;
  readonly #log: Log;
  readonly #outbox: Outbox;
  readonly #reads: ReadRounds;
  readonly #standbys: Standbys;
  #members = new Map<NodeId, Progress>();
  /** Members heard since the last settle(). */
  readonly #heard = new Map<NodeId, Progress>();
  /** The log's end and commit when settle() last looked at all members. */
  #offered = { lastIndex: 0, commit: 0 };
  /** The last append with entries, and the log it was made from. */
  #made: { readonly next: number; readonly lastIndex: number; readonly append: Append } | undefined;
  #announcement: Commit | undefined;
  #configuration: Configuration | undefined;
  #electorate: Electorate = [];
  #nowTick = 0;
  #beatTick = 0;
  #round = 0;
  /** The last entry on this peer's own disk. */
  #ownMatch = 0;
  #transfer: { readonly to: NodeId; readonly sinceTick: number; asked: boolean } | undefined;
  #resigned = false;

  constructor({ settings, faults, term, log, outbox }: LeadershipParts) {
    this.#settings = settings;
    this.#faults = faults;
    this.#term = term;
    this.#log = log;
    this.#outbox = outbox;
    this.#reads = new ReadRounds(settings.limits.readsMax);
    this.#standbys = new Standbys(settings.electionTicksMax);
    // Only an entry of this term can be committed by counting copies. Without one, the entries of earlier
    // leaders would wait for the first proposal.
    this.#append("noop", [new Uint8Array()]);
  }

  get resigned(): boolean {
    return this.#resigned;
  }

  /** As in Raft: until the next heartbeat. */
  get restTicks(): number {
    if (this.#transfer !== undefined) return 1;
    return Math.max(1, this.#beatTick + this.#settings.heartbeatTicks - this.#nowTick);
  }

  progress(): Map<NodeId, PeerProgress> {
    const found = new Map<NodeId, PeerProgress>();
    for (const [id, { match, heardTick, state }] of this.#members) {
      found.set(id, {
        match,
        laggingEntries: this.#log.lastIndex - match,
        recentlyActive: this.#nowTick - heardTick <= this.#settings.electionTicksMin,
        snapshotting: state === "snapshot",
      });
    }
    return found;
  }

  tick(): void {
    this.#nowTick += 1;
    const { heartbeatTicks, electionTicksMax, self } = this.#settings;
    const since = this.#nowTick - electionTicksMax;
    const follows = (id: NodeId): boolean =>
      id === self || (this.#members.get(id)?.heardTick ?? since) >= since;
    if (!agreed(this.#electorate, follows)) this.#resigned = true;
    if (this.#transfer !== undefined && this.#transfer.sinceTick < since) {
      this.#transfer = undefined;
    }
    if (this.#nowTick - this.#beatTick >= heartbeatTicks) this.#beat();
  }

  propose(data: readonly Uint8Array[]): EntryRange | RaftRefusal {
    assert(data.length > 0, "a proposal has entries");
    const { uncommittedBytesMax, uncommittedEntriesMax } = this.#settings.limits;
    if (data.some((one) => one.length > entryBytesMax)) return "tooLarge";
    if (this.#transfer !== undefined) return "busy";
    const waiting = this.#log.lastIndex - this.#log.commit;
    if (waiting > uncommittedEntriesMax) return "busy";
    if (this.#log.uncommittedBytes > uncommittedBytesMax) return "busy";
    return this.#append("data", data);
  }

  reconfigure(wanted: Omit<Configuration, "votersOutgoing">): EntryRange | RaftRefusal {
    if (wanted.voters.length === 0) return "invalid";
    if (this.#transfer !== undefined || !this.#configurationIsFirm()) return "busy";
    const next = towards(this.#log.configuration, wanted);
    return next === undefined ? "unchanged" : this.#configure(next);
  }

  /** Returns: `undefined` when the transfer begins. It ends with another leader, or after `electionTicksMax`. */
  transfer(to: NodeId): RaftRefusal | undefined {
    const { voters } = this.#log.configuration;
    if (to === this.#settings.self || !voters.includes(to)) return "invalid";
    if (this.#transfer !== undefined) return "busy";
    this.#transfer = { to, sinceTick: this.#nowTick, asked: false };
    return undefined;
  }

  read(from: NodeId, id: string): void {
    this.#reads.add(from, id);
  }

  /** The log of `from`, which may be this peer, is on disk up to `match`. */
  acknowledge(from: NodeId, match: number): void {
    if (from === this.#settings.self) this.#ownMatch = Math.max(this.#ownMatch, match);
    const progress = this.#hear(from);
    if (progress === undefined || match > this.#log.lastIndex) return;
    progress.acknowledge(match, this.#log.term(match) !== undefined);
  }

  conflict(from: NodeId, { previousIndex, hintIndex, hintTerm }: AppendConflict): void {
    const agreeable = this.#log.lastAgreeable(hintIndex, hintTerm);
    this.#hear(from)?.conflict(previousIndex, agreeable.index);
  }

  heartbeatAnswered(from: NodeId, round: number): void {
    const progress = this.#hear(from);
    if (progress === undefined || round > this.#round) return;
    progress.round = Math.max(progress.round, round);
    const doing = progress.nudge(this.#nowTick, 2 * this.#settings.heartbeatTicks);
    if (progress.match >= this.#log.lastIndex) return;
    if (doing === "ask") this.#askAgreement(from, progress);
    if (doing === "chunk") this.#sendChunk(from, progress);
  }

  chunkArrived(from: NodeId, { index, offset }: SnapshotReply): void {
    const progress = this.#hear(from);
    if (progress?.chunkArrived(index, offset)) this.#sendChunk(from, progress);
  }

  /** Decides what follows from the noted facts. Called at the end of each step. */
  settle(): void {
    this.#advance();
    this.#followConfiguration();
    this.#moveConfigurationOn();
    this.#answerReads();
    this.#replicateWhereDue();
    this.#handOver();
    this.#resignIfRemoved();
  }

  #append(kind: Entry["kind"], data: readonly Uint8Array[]): EntryRange {
    const term = this.#term;
    const firstIndex = this.#log.lastIndex + 1;
    this.#log.append(data.map((one, at) => ({ index: firstIndex + at, term, kind, data: one })));
    const { lastIndex } = this.#log;
    this.#outbox.promise(this.#settings.self, { kind: "appendReply", term, match: lastIndex });
    return { term, firstIndex, lastIndex };
  }

  #configure(configuration: Configuration): EntryRange {
    return this.#append("configuration", [writeConfiguration(configuration)]);
  }

  /**
   * Whether the configuration may change: the last change is over, and an entry of this term is
   * committed, so no change of an earlier leader can still come back.
   */
  #configurationIsFirm(): boolean {
    const { configuration, configurationIndex, commit } = this.#log;
    return !isJoint(configuration) && configurationIndex <= commit && this.#ownTermCommitted();
  }

  #ownTermCommitted(): boolean {
    return this.#log.term(this.#log.commit) === this.#term;
  }

  #advance(): void {
    const reached = this.#backed(reachedByQuorum(this.#electorate, (id) => this.#diskOf(id).match));
    if (reached <= this.#log.commit) return;
    // An entry of an earlier term can still be replaced although a majority has it; one of this term,
    // and all before it, cannot. (Ongaro, section 3.6.2.)
    const ofThisTerm = this.#log.term(reached) === this.#term;
    if (ofThisTerm || this.#faults.has("commitOldTerm")) this.#log.commitTo(reached);
  }

  /** Returns: the part of what a quorum has that does not wait for a standby. */
  #backed(reached: number): number {
    if (this.#faults.has("commitAlone")) return reached;
    const { commit, lastIndex } = this.#log;
    const diskOf = (id: NodeId): StandbyDisk => this.#diskOf(id);
    return this.#standbys.backed(reached, { nowTick: this.#nowTick, commit, lastIndex, diskOf });
  }

  #diskOf(id: NodeId): StandbyDisk {
    if (id === this.#settings.self) return { match: this.#ownMatch, heardTick: this.#nowTick };
    return this.#members.get(id) ?? { match: 0, heardTick: Number.NEGATIVE_INFINITY };
  }

  #followConfiguration(): void {
    const { configuration, lastIndex } = this.#log;
    if (configuration === this.#configuration) return;
    this.#configuration = configuration;
    this.#electorate = electorate(configuration, this.#faults);
    this.#standbys.follow(configuration);
    const members = new Map<NodeId, Progress>();
    for (const id of membersOf(configuration)) {
      if (id === this.#settings.self) continue;
      members.set(id, this.#members.get(id) ?? new Progress(lastIndex, this.#nowTick));
    }
    this.#members = members;
  }

  #moveConfigurationOn(): void {
    const { configuration, configurationIndex, commit } = this.#log;
    if (!isJoint(configuration) || configurationIndex > commit || !this.#ownTermCommitted()) return;
    this.#configure(settled(configuration));
    this.#followConfiguration();
  }

  #answerReads(): void {
    if (!this.#reads.waiting || !this.#ownTermCommitted()) return;
    this.#reads.place(this.#log.commit, this.#round + 1);
    const answered = this.#answeredRound();
    if (answered === this.#round && this.#reads.wants(this.#round)) this.#beat();
    const confirmed = this.#faults.has("readWithoutQuorum") ? this.#round : this.#answeredRound();
    for (const { from, id, index } of this.#reads.confirmed(confirmed)) {
      this.#outbox.send(from, { kind: "readReply", term: this.#term, id, index });
    }
  }

  /** The last heartbeat round that a quorum has answered. */
  #answeredRound(): number {
    const { self } = this.#settings;
    return reachedByQuorum(this.#electorate, (id) =>
      id === self ? this.#round : (this.#members.get(id)?.round ?? 0),
    );
  }

  #beat(): void {
    this.#round += 1;
    this.#beatTick = this.#nowTick;
    if (this.#transfer !== undefined) this.#transfer.asked = false; // It may have been lost.
    const { commit: index } = this.#log;
    const beat: Message = {
      kind: "heartbeat",
      term: this.#term,
      index,
      indexTerm: this.#log.term(index) ?? 0,
      round: this.#round,
    };
    for (const id of this.#members.keys()) this.#outbox.send(id, beat);
  }

  /**
   * Sends entries to the members that answered, or to all members if the log or its commit moved (a change
   * of members moves the log too). Nothing else can make a send possible. The answer to a heartbeat
   * reveals lost messages.
   */
  #replicateWhereDue(): void {
    const { lastIndex, commit } = this.#log;
    if (lastIndex !== this.#offered.lastIndex || commit !== this.#offered.commit) {
      for (const [id, progress] of this.#members) this.#replicate(id, progress);
      this.#offered = { lastIndex, commit };
    } else {
      for (const [id, progress] of this.#heard) this.#replicate(id, progress);
    }
    this.#heard.clear();
  }

  #replicate(id: NodeId, progress: Progress): void {
    const { limits } = this.#settings;
    while (progress.next <= this.#log.lastIndex && progress.maySend(limits)) {
      if (this.#log.term(progress.next - 1) === undefined) {
        const { snapshot } = this.#log;
        assert(snapshot !== undefined, "what is not in the log is in a snapshot");
        progress.beginSnapshot(snapshot);
        this.#sendChunk(id, progress);
        return;
      }
      this.#sendAppend(id, progress, this.#appendFrom(progress.next));
    }
    this.#announce(id, progress);
  }

  #announce(id: NodeId, progress: Progress): void {
    const { commit: index } = this.#log;
    // Other members learn the commit with their entries or with the next heartbeat.
    if (progress.state !== "replicate" || progress.announced >= index) return;
    progress.announced = index;
    if (this.#announcement?.index !== index) {
      const indexTerm = this.#log.term(index) ?? 0;
      this.#announcement = { kind: "commit", term: this.#term, index, indexTerm };
    }
    this.#outbox.send(id, this.#announcement);
  }

  /** Members at the same position get the same message object, so the caller encodes it once. */
  #appendFrom(next: number): Append {
    const { lastIndex, commit } = this.#log;
    const made = this.#made;
    if (made?.next === next && made.lastIndex === lastIndex && made.append.commit === commit) {
      return made.append;
    }
    const entries = this.#log.slice(next, {
      entriesMax: appendEntriesMax,
      bytesMax: this.#settings.limits.appendBytesMax,
    });
    const append = this.#appendOf(next, entries);
    this.#made = { next, lastIndex, append };
    return append;
  }

  #appendOf(next: number, entries: readonly Entry[]): Append {
    const previousIndex = next - 1;
    const previousTerm = this.#log.term(previousIndex);
    assert(previousTerm !== undefined, "appends go on from the log");
    const { commit } = this.#log;
    return { kind: "append", term: this.#term, previousIndex, previousTerm, commit, entries };
  }

  #sendAppend(to: NodeId, progress: Progress, append: Append): void {
    const { previousIndex, commit, entries } = append;
    const last = previousIndex + entries.length;
    progress.sent(entries, this.#nowTick);
    if (last >= commit) progress.announced = Math.max(progress.announced, commit);
    this.#outbox.send(to, append);
  }

  /** Sends an empty append: only its answer shows whether earlier ones were lost or the peer is slow. */
  #askAgreement(to: NodeId, progress: Progress): void {
    if (this.#log.term(progress.next - 1) === undefined)
      progress.startOver(); // Compacted since it was sent.
    else this.#sendAppend(to, progress, this.#appendOf(progress.next, []));
  }

  #sendChunk(to: NodeId, progress: Progress): void {
    const chunk = progress.chunk(this.#nowTick);
    if (chunk === undefined) return;
    const { snapshot, offset } = chunk;
    this.#outbox.send(to, {
      kind: "snapshotChunk",
      term: this.#term,
      index: snapshot.index,
      indexTerm: snapshot.term,
      configuration: snapshot.configuration,
      totalBytes: snapshot.data.length,
      offset,
      data: snapshot.data.subarray(offset, offset + this.#settings.limits.snapshotChunkBytes),
    });
  }

  #handOver(): void {
    const transfer = this.#transfer;
    if (transfer === undefined || transfer.asked) return;
    if (this.#members.get(transfer.to)?.match !== this.#log.lastIndex) return;
    transfer.asked = true;
    this.#outbox.send(transfer.to, { kind: "standNow", term: this.#term });
  }

  /** A leader that is voted out leads until its removal is committed, then asks the best voter to stand. */
  #resignIfRemoved(): void {
    const { configuration, configurationIndex, commit } = this.#log;
    if (isVoter(configuration, this.#settings.self) || configurationIndex > commit) return;
    let best: { readonly id: NodeId; readonly match: number } | undefined;
    for (const id of configuration.voters) {
      const match = this.#members.get(id)?.match ?? 0;
      if (best === undefined || match > best.match) best = { id, match };
    }
    if (best !== undefined) {
      this.#outbox.send(best.id, { kind: "standNow", term: this.#term });
    }
    this.#resigned = true;
  }

  #hear(from: NodeId): Progress | undefined {
    const progress = this.#members.get(from);
    if (progress === undefined) return undefined;
    progress.heardTick = this.#nowTick;
    this.#heard.set(from, progress);
    return progress;
  }
}
