/**
 * Poison: one round of bad proposals, entries, snapshots, Raft messages, rumours and usages, made from good ones.
 *
 * No input may make a peer throw anything but the refusal of a frame. The plans must come to rest, and all peers
 * must have the same state in the end. One seed gives one round, always the same.
 *
 * Raft trusts its voters. So false Raft messages of the right shape go only to a victim: a copy of one peer,
 * which must not throw and must start again from its journal.
 */
import { decode, encode, GamError, messageOf, type NodeId } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import { Allocator, poolUsage, subnetClashes } from "@gam/network";
import { Orchestrator } from "@gam/orchestrator";
import {
  decodeGossip,
  decodeMessage,
  type Effect,
  encodeMessage,
  type JournalFile,
  type Message,
  Peer,
  recoverJournal,
} from "@gam/peer";
import { planPlacement } from "@gam/scheduler";
import {
  type Change,
  checkChange,
  type Dump,
  type PlannedChange,
  type Proposal,
  readDump,
  readProposal,
  Store,
} from "@gam/state";
import { Breach } from "../checks/breach.ts";
import { mutant, pick } from "./mutant.ts";
import { arrangeAll, manager, members, PoisonedMesh, voteSilenceMs } from "./poisoned-mesh.ts";
import { someChange } from "./some-change.ts";

/** Most replicas of a mutant, so that a round stays short. */
const replicasMax = 40;
/** Most terms by which messages may raise a peer, within a few seconds. */
const termsMax = 2 ** 25;
/** Most rounds of plans until a state is at rest. */
const planRoundsMax = 200;
/** Most entries in 10 s of rest: a service that fails at once restarts each second, which takes four entries. */
const restEntriesMax = 60;

export interface RoundFacts {
  readonly inputs: number;
  /** How many inputs of each kind were accepted. */
  readonly taken: Readonly<Record<string, number>>;
}

/** Planted mistakes, which a test must find. */
export interface PoisonFaults {
  /** Leaves out a check when reading: the value is used as it came. */
  readonly unchecked?: boolean;
}

type Kind =
  | "proposal"
  | "local"
  | "raft"
  | "entry"
  | "snapshot"
  | "unchecked"
  | "member"
  | "gossip"
  | "journal";
const kinds: readonly Kind[] = [
  ...Array<Kind>(6).fill("proposal"),
  ...Array<Kind>(5).fill("local"),
  ...Array<Kind>(5).fill("raft"),
  ...Array<Kind>(2).fill("entry"),
  "snapshot",
  "unchecked",
  "member",
  "gossip",
  "gossip",
  "journal",
];

export function poisonRound(seed: number, inputs: number): RoundFacts {
  const round = new Round(seed);
  for (let input = 0; input < inputs; input += 1) {
    try {
      round.step(input);
    } catch (thrown) {
      throw new Breach(`seed ${seed}, input ${input}: ${stackOf(thrown)}\n${round.last}`);
    }
  }
  try {
    round.end();
  } catch (thrown) {
    throw new Breach(`seed ${seed}, at the end: ${stackOf(thrown)}`);
  }
  return { inputs, taken: round.taken };
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown);
}

/** False when the value is refused as a bad frame. Any other error is a bug. */
function passes(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (thrown) {
    if (thrown instanceof GamError) return false;
    throw thrown;
  }
}

/** The value's bytes, as the sender of a bad frame would make them; undefined if it has none. */
function bytesOf(value: unknown): Uint8Array | undefined {
  try {
    return encode(value);
  } catch {
    return undefined;
  }
}

class Round {
  readonly taken: Record<string, number> = {};
  last = "";
  readonly #mesh: PoisonedMesh;
  #victim: Victim;

  constructor(seed: number) {
    this.#mesh = new PoisonedMesh(seed);
    this.#victim = new Victim(this.#mesh);
  }

  step(input: number): void {
    const mesh = this.#mesh;
    const { random } = mesh;
    if (input % 50 === 0) mesh.tend();
    if (input % 4 === 0) mesh.tick(1);
    if (input % 100 === 99) {
      this.#victim.comeBack();
      this.#victim = new Victim(mesh);
    }
    if (input % 50 === 0) keepable(mesh.view as Store);
    const kind = pick(random, kinds);
    if (this.#try(kind)) this.taken[kind] = (this.taken[kind] ?? 0) + 1;
  }

  #try(kind: Kind): boolean {
    switch (kind) {
      case "proposal":
        return this.#propose();
      case "local":
        return this.#proposeHere();
      case "raft":
        return this.#lie();
      case "entry":
        return this.#append();
      case "snapshot":
        return this.#send();
      case "unchecked":
        return this.#apply();
      case "member":
        return this.#probe();
      case "gossip":
        return this.#gossip();
      case "journal":
        return this.#damage();
    }
  }

  #mutant<T>(value: unknown): T {
    const { random, view } = this.#mesh;
    const known = [
      ...view.nodes().map(({ ID }) => ID),
      ...view.services().map(({ ID }) => ID),
      ...view.networks().map(({ Id }) => Id),
      ...view
        .tasks()
        .slice(0, 5)
        .map(({ ID }) => ID),
    ];
    const changed = mutant(random, value, known);
    this.last = show(changed);
    return changed as T;
  }

  /** One or more changes, good or bad. */
  #changes(): readonly Change[] {
    const { random, around } = this.#mesh;
    const changes = Array.from({ length: 1 + random.below(3) }, () => someChange(around));
    const bad = random.below(5) === 0 ? changes : changes.map((change) => this.#mutant(change));
    this.last = show(bad);
    return isBearable(bad) ? (bad as Change[]) : [];
  }

  #proposal(): unknown {
    const { random, mint, nowMs } = this.#mesh;
    const proposal = { id: mint.id(), atMs: nowMs, changes: this.#changes() };
    return random.below(4) === 0 ? this.#mutant(proposal) : proposal;
  }

  #propose(): boolean {
    const { random } = this.#mesh;
    const to = pick(random, members);
    const life = this.#mesh.lifeOf(to);
    const bytes = bytesOf({ life, body: { kind: "propose", proposal: this.#proposal() } });
    let message: Message | undefined;
    if (bytes === undefined || !passes(() => (message = decodeMessage("peer", bytes))))
      return false;
    const from = pick(
      random,
      members.filter((id) => id !== to),
    );
    this.#mesh.give(to, { kind: "received", from, sender: manager, message: message as Message });
    return true;
  }

  #proposeHere(): boolean {
    this.#mesh.propose(pick(this.#mesh.random, members), this.#changes());
    return true;
  }

  #lie(): boolean {
    const { random, heard } = this.#mesh;
    const raft = heard.filter(({ message }) => message.channel === "raft");
    if (raft.length === 0) return false;
    const { from, message } = pick(random, raft);
    const bytes = bytesOf(this.#mutant(framed(message)));
    let bad: Message | undefined;
    if (bytes === undefined || !passes(() => (bad = decodeMessage("raft", bytes)))) return false;
    this.#victim.hear(random.below(4) === 0 ? pick(random, members) : from, bad as Message);
    return true;
  }

  /** Sends a good append with a bad or a good entry. */
  #append(): boolean {
    const { random } = this.#mesh;
    const data =
      random.below(3) === 0
        ? Uint8Array.from({ length: random.below(40) }, () => random.below(256))
        : bytesOf(this.#proposal());
    if (data === undefined) return false;
    const good = passes(() => readProposal(data));
    if (this.#victim.append(data) && !good) throw new Breach("a bad entry got into the log");
    return good;
  }

  #send(): boolean {
    const dump = decode((this.#mesh.view as Store).dump());
    const bytes = bytesOf(this.#mutant(dump));
    if (bytes === undefined || !passes(() => decode(bytes))) return false;
    if (!isBearable(decode(bytes))) return false;
    const installed = this.#victim.install(bytes);
    let store: Store | undefined;
    const good = passes(() => {
      const restored = new Store();
      restored.restore(readDump(bytes));
      store = restored;
    });
    if (installed && !good) throw new Breach("a bad snapshot became the state");
    if (store !== undefined) rest(store, this.#mesh.nowMs);
    return good;
  }

  /** Applies an unchecked proposal at two peers: both must refuse the same, and keep nothing of it. */
  #apply(): boolean {
    const { around, mint, nowMs, random } = this.#mesh;
    const { view } = around;
    const good = Array.from({ length: random.below(3) }, () => someChange(around));
    const changes = [...good, this.#mutant(someChange(around))] as Change[];
    const bytes = bytesOf({ id: mint.id(), atMs: nowMs, changes });
    if (bytes === undefined || !passes(() => decode(bytes)) || !isBearable(changes)) return false;
    const dump = (view as Store).dump();
    const results = [1, 2].map(() => {
      const store = new Store();
      store.restore(decode(dump) as Dump);
      const applied = store.apply(store.index + 1, decode(bytes) as Proposal);
      return { store, applied };
    });
    const [one, other] = results.map(({ store, applied }) => {
      if (applied.outcome.kind === "refused") same(store, view as Store);
      return show([applied.outcome, applied.events]);
    });
    if (one !== other) throw new Breach(`refused differently: ${one} ${other}`);
    return results[0]?.applied.outcome.kind === "applied";
  }

  #probe(): boolean {
    const { random, heard } = this.#mesh;
    const probes = heard.filter(({ message }) => message.channel !== "raft");
    const ping = { kind: "ping", round: 1, incarnation: 0, accused: 3 };
    const { from, to, message } =
      probes.length > 0
        ? pick(random, probes)
        : {
            from: members[1] as NodeId,
            to: members[0] as NodeId,
            message: { channel: "member", body: ping } as Message,
          };
    const bytes = bytesOf(this.#mutant(framed(message)));
    let bad: Message | undefined;
    if (bytes === undefined) return false;
    if (!passes(() => (bad = decodeMessage(message.channel, bytes)))) return false;
    this.#mesh.give(to, { kind: "received", from, sender: manager, message: bad as Message });
    return true;
  }

  #gossip(): boolean {
    const { random, nowMs } = this.#mesh;
    const topic = pick(random, ["usage", "rumour"] as const);
    const usage = {
      cpu: 0.5,
      memoryBytes: 2 ** 30,
      memoryTotalBytes: 2 ** 33,
      load: 1,
      containers: 3,
      images: ["app:1"],
      diskFreeBytes: 2 ** 33,
      atMs: nowMs,
    };
    const opinions = members.map((peer) => ({ peer, opinion: "suspect", incarnation: 0 }));
    const rumour = {
      sequence: random.below(2 ** 20),
      incarnation: 1,
      health: 0,
      repeatTicks: 20,
      opinions,
    };
    const bytes = bytesOf(this.#mutant(topic === "usage" ? usage : rumour));
    let gossip: ReturnType<typeof decodeGossip> | undefined;
    if (bytes === undefined || !passes(() => (gossip = decodeGossip(topic, bytes)))) return false;
    const from = pick(random, members);
    for (const to of members) {
      if (to !== from) this.#mesh.give(to, { kind: "gossiped", from, gossip: gossip as never });
    }
    return true;
  }

  /** Damages a disk's data: the journal must report it, or continue without its last record. */
  #damage(): boolean {
    const { random } = this.#mesh;
    const { name, bytes } = this.#mesh.fileOf(pick(random, members));
    const copy = Uint8Array.from(bytes.subarray(0, 20_000));
    for (let left = random.below(4); left > 0; left -= 1)
      copy[random.below(copy.length)] = random.below(256);
    return passes(() => recoverJournal([{ name, bytes: copy }]));
  }

  end(): void {
    this.#mesh.tend();
    this.#mesh.calm();
    this.#mesh.tick(600);
    const before = this.#mesh.view.index;
    this.#mesh.tick(200);
    const entries = this.#mesh.view.index - before;
    if (entries > restEntriesMax) throw new Breach(`${entries} entries in 10 s of rest`);
    this.#mesh.agree();
    keepable(this.#mesh.view as Store);
    arrangeAll(this.#mesh.view);
    // What a liar asks for is quoted, whatever words it has.
    const own = this.#mesh.warnings.filter((text) => !text.startsWith("Refused a proposal"));
    const held = own.filter((text) => /leave|cannot be applied|left out/i.test(text));
    if (held.length > 0) throw new Breach(held.join("\n"));
  }
}

/** A copy of one peer that gets false messages. Nothing receives what it sends. */
class Victim {
  readonly #peer: Peer;
  readonly #mesh: PoisonedMesh;
  readonly #firstTerm: number;
  #file: JournalFile;

  constructor(mesh: PoisonedMesh) {
    this.#mesh = mesh;
    const self = members[2] as NodeId;
    this.#file = mesh.fileOf(self);
    this.#peer = this.#peerOf(self);
    // Known commits are applied with the first tick.
    this.#step({ kind: "tick", lateTicks: 0 });
    this.#firstTerm = this.#peer.raft.term;
  }

  #peerOf(self: NodeId): Peer {
    const config = { self, votersMax: 3, voteSilenceMs, logEntriesMax: 30 };
    const recovered = recoverJournal([this.#file]);
    return new Peer({ config, recovered, random: seededRandom(3), mint: counterMint("v") });
  }

  hear(from: NodeId, message: Message): void {
    this.#step({ kind: "received", from, sender: manager, message });
    if (this.#mesh.random.below(3) === 0) this.#step({ kind: "tick", lateTicks: 0 });
  }

  /** Appends the entry. Returns whether it is in the log now. */
  append(data: Uint8Array): boolean {
    const { raft } = this.#peer;
    const before = raft.lastIndex;
    const previousIndex = raft.commitIndex;
    const terms = { term: raft.term, previousTerm: raft.term };
    const entry = { index: previousIndex + 1, term: raft.term, kind: "data" as const, data };
    for (const previousTerm of [terms.previousTerm, terms.previousTerm - 1]) {
      if (previousTerm < 0) continue;
      const body = {
        kind: "append" as const,
        term: raft.term + 1,
        previousIndex,
        previousTerm,
        commit: previousIndex + 1,
        entries: [{ ...entry, term: raft.term + 1 }],
      };
      this.hear(members[1] as NodeId, { channel: "raft", life: this.#peer.lives.id, body });
    }
    return raft.lastIndex > before && raft.commitIndex > previousIndex;
  }

  /** Installs the snapshot. Returns whether it is the state now. */
  install(data: Uint8Array): boolean {
    const { raft, view } = this.#peer;
    const index = (decode(data) as { index?: unknown } | undefined)?.index;
    if (typeof index !== "number" || data.length > 200_000) return false;
    const term = raft.term + 1;
    const body = {
      kind: "snapshotChunk" as const,
      term,
      index: Math.max(index + this.#mesh.random.below(2), raft.commitIndex + 1),
      indexTerm: term,
      configuration: raft.configuration,
      totalBytes: data.length,
      offset: 0,
      data,
    };
    const before = view.index;
    const bytes = encodeMessage({ channel: "raft", life: this.#peer.lives.id, body });
    let message: Message | undefined;
    if (!passes(() => (message = decodeMessage("raft", bytes)))) return false;
    this.hear(members[1] as NodeId, message as Message);
    return view.index > before && view.index === body.index;
  }

  /** Checks that its journal is whole, and that it restarts from it, in a term that others can follow. */
  comeBack(): void {
    const { term } = this.#peer.raft;
    if (term > this.#firstTerm + termsMax) throw new Breach(`term ${term} was accepted`);
    const peer = this.#peerOf(members[2] as NodeId);
    peer.step({ kind: "tick", lateTicks: 0 }, this.#mesh.nowMs);
  }

  #step(input: Parameters<Peer["step"]>[0]): void {
    const waiting = [input];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      for (const effect of this.#peer.step(next, this.#mesh.nowMs)) {
        if (effect.kind !== "disk") continue;
        this.#write(effect);
        waiting.push({ kind: "persisted" });
      }
    }
    const { raft, view } = this.#peer;
    if (raft.commitIndex === view.index) return;
    throw new Breach(`entry ${raft.commitIndex} is committed but the state is at ${view.index}`);
  }

  #write({ step }: Extract<Effect, { kind: "disk" }>): void {
    const old = step.kind === "begin" ? [] : [this.#file.bytes];
    this.#file = { name: step.file, bytes: Buffer.concat([...old, step.bytes]) };
  }
}

/** Runs a leader's plans until they make no more changes. Their changes must be valid. */
function rest(store: Store, nowMs: number): void {
  const mint = counterMint("p");
  const orchestrator = new Orchestrator(mint);
  const allocator = new Allocator();
  orchestrator.noticeAll();
  const verdicts = new Map();
  for (let round = 0; round < planRoundsMax; round += 1) {
    let changes: readonly PlannedChange[] = orchestrator.plan(store, { nowMs, verdicts });
    if (changes.length === 0) changes = allocator.plan(store, { nowMs });
    if (changes.length === 0) {
      const reaches = allocator.reach(store);
      const placed = planPlacement(store, { usage: new Map(), nowMs, reaches });
      changes = allocator.withBridges(store, placed, { nowMs });
    }
    if (changes.length === 0) {
      arrangeAll(store);
      poolUsage(store);
      subnetClashes(store);
      return;
    }
    for (const change of changes) checkChange(change, "plan");
    const proposal = { id: mint.id(), atMs: nowMs, changes } as unknown as Proposal;
    const { events, thrown } = store.apply(store.index + 1, readProposal(encode(proposal)));
    if (thrown !== undefined) throw thrown;
    keepable(store);
    for (const event of events) {
      orchestrator.notice(event);
      allocator.notice(event);
    }
    if (round === planRoundsMax - 1) throw new Breach(`plans without end: ${show(changes)}`);
  }
}

/** Checks that the state can be read back as a snapshot, by other peers and after a restart. */
function keepable(store: Store): void {
  readDump(store.dump());
}

/** Checks that two states are equal, except for the index and the proposal's outcome. */
function same(one: Store, other: Store): void {
  const [a, b] = [one, other].map((store) => {
    const { cluster, nodes, services, tasks, networks, removed } = decode(store.dump()) as Dump;
    return JSON.stringify([cluster, nodes, services, tasks, networks, removed]);
  });
  if (a !== b) throw new Breach("a refused proposal changed the state");
}

/** Whether the replicas are few enough for a short round. */
function isBearable(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (value instanceof Uint8Array) return true;
  return Object.entries(value).every(([key, one]) => {
    const counts = key === "Replicas" || key === "TotalCompletions" || key === "MaxConcurrent";
    return counts && typeof one === "number" ? !(one > replicasMax) : isBearable(one);
  });
}

/** The content of a message's bytes. */
function framed(message: Message): object {
  return message.channel === "member" ? message.body : { life: message.life, body: message.body };
}

function show(value: unknown): string {
  try {
    return JSON.stringify(value)?.slice(0, 3000) ?? String(value);
  } catch (thrown) {
    return messageOf(thrown);
  }
}
