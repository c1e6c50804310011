/**
 * Storm: some peers, each running the real machine, under the worst conditions that a seed draws.
 *
 * In the storm, messages are lost, doubled, delayed and reordered, links and groups are cut, and disks are
 * slow. Peers freeze, or crash and lose what was not on disk. The voters change all the time.
 * calm() ends all that, and then the peers must agree in time.
 *
 * A Witness watches every effect. One seed is one history.
 */
import type { NodeId, Random } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import type { Effect } from "../effect.ts";
import type { Input } from "../input.ts";
import { writeConfiguration } from "../log/configuration.ts";
import { blank, type Restored } from "../log/durable.ts";
import { noRaftFaults, type RaftFaults } from "../log/fault.ts";
import type { Message } from "../log/message.ts";
import { Raft } from "../raft.ts";
import { Violation, Witness } from "./witness.ts";

export interface StormWeather {
  readonly lossPercent: number;
  readonly doublePercent: number;
  readonly flightTicksMax: number;
  readonly diskTicksMax: number;
  readonly appendBytesMax: number;
  /** Average per cluster in a thousand ticks; so are the next five. */
  readonly crashes: number;
  readonly freezes: number;
  readonly cuts: number;
  readonly reconfigurations: number;
  readonly transfers: number;
  readonly snapshots: number;
}

export interface StormOptions {
  readonly faults?: RaftFaults;
  /** Overrides what the seed draws. */
  readonly weather?: Partial<StormWeather>;
  readonly traced?: boolean;
}

const still: StormWeather = {
  lossPercent: 0,
  doublePercent: 0,
  flightTicksMax: 1,
  diskTicksMax: 1,
  appendBytesMax: 24,
  crashes: 0,
  freezes: 0,
  cuts: 0,
  reconfigurations: 0,
  transfers: 0,
  snapshots: 0,
};

interface Packet {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
  readonly dueTick: number;
}

interface Simulated {
  /** `undefined` while it is down. */
  raft: Raft | undefined;
  restored: Restored;
  /** When each write under way is durable, oldest first. */
  disk: number[];
  /** Down or frozen before this tick. */
  untilTick: number;
}

export const stormConfig = { heartbeatTicks: 2, electionTicksMin: 10, electionTicksMax: 20 };
const limits = {
  inflightAppendsMax: 4,
  inflightBytesMax: 96,
  uncommittedEntriesMax: 64,
  snapshotChunkBytes: 16,
  trailingEntries: 4,
};
const names = ["a", "b", "c", "d", "e"] as NodeId[];

export class Storm {
  /** Every effect but sends, if `traced` is set. */
  readonly trace: string[] = [];
  readonly #witness = new Witness(stormConfig.electionTicksMax);
  readonly #random: Random;
  readonly #faults: RaftFaults;
  readonly #traced: boolean;
  readonly #peers = new Map<NodeId, Simulated>();
  #weather: StormWeather;
  #flying: Packet[] = [];
  /** Directed links that carry nothing, until the tick. */
  #cut = new Map<string, number>();
  #nowTick = 0;
  #count = 0;

  constructor(seed: number, { faults = noRaftFaults, weather, traced }: StormOptions = {}) {
    this.#traced = traced ?? false;
    this.#random = seededRandom(seed * 7919);
    this.#faults = faults;
    // Neighbouring seeds start this generator in neighbouring places.
    for (let n = 0; n < 8; n += 1) this.#random.below(2);
    this.#weather = {
      lossPercent: this.#pick([0, 2, 10, 30]),
      doublePercent: this.#pick([0, 10]),
      flightTicksMax: this.#pick([1, 3, 8]),
      diskTicksMax: this.#pick([1, 4, 12]),
      // So small that a new leader needs several appends for what it found in its log.
      appendBytesMax: this.#pick([3, 24]),
      crashes: this.#pick([0, 10, 30, 60]),
      freezes: this.#pick([0, 10]),
      cuts: this.#pick([0, 10, 30]),
      reconfigurations: this.#pick([0, 20, 60]),
      transfers: this.#pick([0, 10]),
      snapshots: this.#pick([0, 30]),
      ...weather,
    };
    const voters = names.slice(0, this.#pick([1, 2, 3, 3, 4, 5]));
    const data = writeConfiguration({ voters, votersOutgoing: [], learners: [], standbys: [] });
    const first: Restored = {
      hardState: { term: 1, votedFor: undefined, commit: 1 },
      snapshot: undefined,
      entries: [{ index: 1, term: 1, kind: "configuration", data }],
    };
    for (const id of names) {
      const restored = voters.includes(id) ? first : blank;
      this.#peers.set(id, { raft: undefined, restored, disk: [], untilTick: 0 });
      this.#witness.starts(id, restored);
    }
  }

  run(ticks: number): void {
    for (let n = 0; n < ticks; n += 1) this.#tick();
  }

  /** From now on everything works, and only the caller makes requests. */
  calm(): void {
    this.#weather = still;
    this.#cut.clear();
    for (const peer of this.#peers.values()) peer.untilTick = 0;
  }

  get committed(): number {
    return this.#witness.committed;
  }

  /** Of the member that leads in the latest term. */
  get leader(): Raft | undefined {
    let latest: Raft | undefined;
    for (const { raft } of this.#peers.values()) {
      if (raft?.role === "leader" && raft.term > (latest?.term ?? 0)) latest = raft;
    }
    return latest;
  }

  /** Proposes at the leader. Returns: "settled" when every member has applied it in time, or what is wrong. */
  settles(ticks: number): string {
    const before = this.leader;
    if (before === undefined) return "nobody leads";
    const target = this.#propose(this.#idOf(before));
    if (target === undefined) return "the leader takes no proposal";
    this.run(ticks);
    const { voters, votersOutgoing, learners } = before.configuration;
    if (votersOutgoing.length > 0) return "the configuration is joint";
    for (const id of [...voters, ...learners]) {
      const applied = this.#witness.applied(id);
      if (applied < target) return `${id} has applied ${applied} of ${target}`;
    }
    return "settled";
  }

  #tick(): void {
    this.#nowTick += 1;
    for (const [id, peer] of this.#peers) {
      if (peer.raft === undefined && peer.untilTick <= this.#nowTick) this.#start(id, peer);
    }
    this.#misfortune();
    this.#deliver();
    for (const [id, peer] of this.#peers) {
      while (this.#runs(peer) && (peer.disk[0] ?? this.#nowTick + 1) <= this.#nowTick) {
        peer.disk.shift();
        this.#step(id, { kind: "persisted", write: this.#witness.persists(id) });
      }
      if (this.#runs(peer)) this.#step(id, { kind: "tick" });
    }
    if (this.#weather !== still) this.#ask();
  }

  #runs(peer: Simulated): boolean {
    return peer.raft !== undefined && peer.untilTick <= this.#nowTick;
  }

  #start(id: NodeId, peer: Simulated): void {
    const random = seededRandom(1 + this.#random.below(2 ** 31 - 2));
    const config = {
      self: id,
      ...stormConfig,
      limits: { ...limits, appendBytesMax: this.#weather.appendBytesMax },
    };
    peer.raft = new Raft(config, peer.restored, random, this.#faults);
    peer.disk = [];
  }

  #deliver(): void {
    const due = this.#flying.filter((packet) => packet.dueTick <= this.#nowTick);
    this.#flying = this.#flying.filter((packet) => packet.dueTick > this.#nowTick);
    for (const packet of due) {
      const { from, to, message } = packet;
      const peer = this.#peers.get(to);
      if (peer?.raft === undefined) continue;
      if (this.#runs(peer)) this.#step(to, { kind: "received", from, message });
      else this.#flying.push({ ...packet, dueTick: peer.untilTick + 1 });
    }
  }

  #misfortune(): void {
    const { crashes, freezes, cuts } = this.#weather;
    const forTicks = (): number => this.#nowTick + 1 + this.#random.below(60);
    if (this.#happens(crashes)) {
      const [id, peer] = this.#someoneImportant();
      peer.restored = this.#witness.crashes(id);
      peer.raft = undefined;
      peer.untilTick = forTicks();
      if (this.#traced) this.trace.push(`${this.#nowTick} ${id} crashes`);
    }
    if (this.#happens(freezes)) this.#anyone()[1].untilTick = forTicks();
    if (this.#happens(cuts)) {
      const untilTick = forTicks();
      const alone = this.#random.below(3) === 0;
      const group = alone
        ? new Set([this.#someoneImportant()[0]])
        : new Set(names.filter(() => this.#random.below(2) === 0));
      const oneWay = this.#random.below(3) === 0;
      for (const from of names) {
        for (const to of names) {
          const crosses = group.has(from) && !group.has(to);
          if (crosses) this.#cut.set(`${from}${to}`, untilTick);
          if (crosses && !oneWay) this.#cut.set(`${to}${from}`, untilTick);
        }
      }
    }
  }

  #ask(): void {
    const { reconfigurations, transfers, snapshots } = this.#weather;
    const [id, peer] = this.#anyone();
    if (this.#runs(peer)) {
      if (this.#random.below(3) === 0) this.#propose(id);
      if (this.#happens(200)) this.#read(id);
      if (this.#happens(snapshots * 3)) this.#compact(id);
    }
    for (const [leading, { raft }] of this.#peers) {
      if (raft?.role !== "leader") continue;
      if (this.#happens(300)) this.#propose(leading);
      if (this.#happens(30)) this.#read(leading);
      if (this.#happens(reconfigurations)) {
        // Often a single voter, since only then are others asked to stand by.
        const alone = this.#random.below(3) === 0;
        const voters = alone
          ? [this.#pick(names)]
          : names.filter(() => this.#random.below(2) === 0);
        const learners = names.filter(() => this.#random.below(2) === 0);
        const standbys = learners.filter(() => this.#random.below(3) > 0);
        this.#step(leading, { kind: "reconfigure", voters, learners, standbys });
      }
      if (this.#happens(transfers)) {
        this.#step(leading, { kind: "transfer", to: this.#anyone()[0] });
      }
    }
  }

  /** The index of the proposal, if it was taken. */
  #propose(id: NodeId): number | undefined {
    this.#count += 1;
    const data = [Uint8Array.of(this.#count >> 16, this.#count >> 8, this.#count)];
    if (this.#random.below(4) === 0) data.push(Uint8Array.of(this.#count >> 8, this.#count));
    const effects = this.#step(id, { kind: "propose", data });
    return effects.find((effect) => effect.kind === "proposed")?.lastIndex;
  }

  #read(id: NodeId): void {
    this.#count += 1;
    const read = String(this.#count);
    this.#witness.asksToRead(id, read);
    this.#step(id, { kind: "read", id: read });
  }

  #compact(id: NodeId): void {
    const index = this.#witness.applied(id);
    if (index === 0) return;
    // Longer than a chunk, and not always by the same.
    const data = new Uint8Array(4 + (index % 5) * 14);
    new DataView(data.buffer).setUint32(0, this.#witness.state(index));
    this.#step(id, { kind: "compact", index, data });
  }

  #step(id: NodeId, input: Input): readonly Effect[] {
    const peer = this.#peers.get(id);
    if (peer?.raft === undefined || !this.#runs(peer)) return [];
    const before = peer.raft.configuration;
    this.#witness.takes(id, input, peer.raft);
    const effects = peer.raft.step(input);
    const after = peer.raft.configuration;
    for (const effect of effects) {
      if (this.#traced && effect.kind !== "send") {
        this.trace.push(`${this.#nowTick} ${id} ${show(effect)}`);
      }
      this.#witness.sees(id, effect, before, after);
      if (effect.kind === "send") this.#send(id, effect.to, effect.message);
      if (effect.kind === "persist") this.#write(peer);
    }
    return effects;
  }

  /** One write is under way at a time; those that come meanwhile share the next one. */
  #write(peer: Simulated): void {
    const [underWay = this.#nowTick] = peer.disk;
    const last = peer.disk.at(-1) ?? 0;
    const ticks = this.#random.below(this.#weather.diskTicksMax + 1);
    peer.disk.push(last > underWay ? last : underWay + ticks);
  }

  #send(from: NodeId, to: NodeId, message: Message): void {
    const { lossPercent, doublePercent, flightTicksMax } = this.#weather;
    if (this.#random.below(100) < lossPercent) return;
    if ((this.#cut.get(`${from}${to}`) ?? 0) > this.#nowTick) return;
    const copies = this.#random.below(100) < doublePercent ? 2 : 1;
    for (let n = 0; n < copies; n += 1) {
      const dueTick = this.#nowTick + 1 + this.#random.below(flightTicksMax);
      this.#flying.push({ from, to, message, dueTick });
    }
  }

  #happens(perThousand: number): boolean {
    return this.#random.below(1_000) < perThousand;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }

  #anyone(): [NodeId, Simulated] {
    return this.#pick([...this.#peers]);
  }

  /** A leader in half of all cases: faults around a new leader find more. */
  #someoneImportant(): [NodeId, Simulated] {
    const leaders = [...this.#peers].filter(([, { raft }]) => raft?.role === "leader");
    return leaders.length > 0 && this.#random.below(2) === 0 ? this.#pick(leaders) : this.#anyone();
  }

  #idOf(raft: Raft): NodeId {
    const found = [...this.#peers].find(([, peer]) => peer.raft === raft);
    if (found === undefined) throw new Error("no such peer");
    return found[0];
  }
}

function show(effect: Effect): string {
  return JSON.stringify(effect, (_, value) =>
    value instanceof Uint8Array ? value.join(".") : value,
  );
}

/** The first seed of the range whose storm breaks a promise, and that promise. */
export function firstViolation(
  seeds: { readonly from: number; readonly to: number },
  ticks: number,
  options: StormOptions,
): { readonly seed: number; readonly promise: string } | undefined {
  for (let seed = seeds.from; seed <= seeds.to; seed += 1) {
    try {
      new Storm(seed, options).run(ticks);
    } catch (thrown) {
      if (thrown instanceof Violation) return { seed, promise: thrown.message };
      throw new Error(`Cannot finish seed ${seed}`, { cause: thrown });
    }
  }
  return undefined;
}
