/**
 * Host: one peer with its disk, its engine and its clock, and a power switch.
 *
 * Containers outlive the agent but not the power. Performs the peer's effects in virtual time, as the
 * agent does in real time.
 */
import { assert, type Mint, type NodeId, type Random } from "@gam/core";
import { testKey } from "@gam/core/testing";
import type { NodePlan } from "@gam/network";
import { bootstrapJournal, type Effect, type Input, Peer, type Sender, tickMs } from "@gam/peer";
import type { Dialect, NodeDescription, Usage } from "@gam/state";
import { SimEngine } from "@gam/worker/testing";
import type { Agenda } from "./agenda.ts";
import { SimDisk } from "./disk.ts";
import type { Planted } from "./faults.ts";

/** Virtual time begins here: a moment that a date can be made of. */
const epochMs = 1_700_000_000_000;

/** So few that every history has snapshots, on disks and on the wire. */
const logEntriesMax = 20;

/** An engine that does not answer is called lost by its agent after this. */
const engineTimeoutMs = 3000;

/** A plan is in force after this, at most. */
const arrangeMsMax = 2000;
/** A certificate of the next root key, or of another role, is there so long after the peer has heard of it. */
const certificateTicks = 20;

/** Images of services that every engine has. The last two do not rest: see `restless`. */
export const images = ["app:1", "app:2", "app:3", "app:flaky", "app:broken"] as const;
/** Images of jobs that every engine has: one ends well after a second, the other badly. */
export const jobImages = ["job:done", "job:fails"] as const;
/** `app:flaky` ends by itself after four seconds, `app:broken` cannot be started. */
export const restless: ReadonlySet<string> = new Set(["app:flaky", "app:broken", "job:fails"]);

/** What a write takes at most where nothing is wrong. */
export const diskMsDefault = 5;

export interface HostParts {
  readonly id: NodeId;
  readonly agenda: Agenda;
  readonly random: Random;
  readonly mint: Mint;
  readonly planted: Planted;
  readonly dialect: Dialect;
  readonly votersMax: () => number;
  /** Everything that is not done on the host itself. */
  readonly outside: (host: SimHost, effect: Effect) => void;
}

export class SimHost {
  readonly id: NodeId;
  readonly engine: SimEngine;
  readonly #parts: HostParts;
  readonly #disk: SimDisk;
  peer: Peer | undefined;
  /** By which its kernel sends connections. */
  plan: NodePlan | undefined;
  /** A write that takes long is under way until then. */
  #writesUntilMs = 0;
  /** Of the peer that runs, or ran last. */
  votersMax = 0;
  #planIndex = 0;
  /** What was begun in another life of the agent comes to nothing. */
  #life = 0;
  #diedMs = 0;
  #thawedMs = Number.NEGATIVE_INFINITY;
  /** How far its clock is off. */
  skewMs = 0;
  /** The newest root key that it has a certificate of, which its disk keeps. */
  root: string | undefined;
  /** The dialect of the log that its gam speaks. Another one is put there while its agent does not run. */
  dialect: Dialect;
  /** What it shows the others. Its disk keeps it. */
  certificate: Pick<Sender, "role" | "asOf"> = { role: "manager", asOf: 0 };
  #nextRootTicks = 0;
  #roleTicks = 0;
  /** A write takes this long at most. */
  diskMsMax = diskMsDefault;
  #powered = false;
  #isTampered = false;
  #ended = false;
  /** Why its engine does not answer, or "". */
  #engineLost = "";
  #engineHangs = false;
  #frozen = false;
  #missedTicks = 0;
  /** Ticks that have passed and that the peer was not told of yet: it rests. */
  #restedTicks = 0;
  #held: Input[] = [];

  constructor(parts: HostParts) {
    this.id = parts.id;
    this.dialect = parts.dialect;
    this.#parts = parts;
    this.#disk = new SimDisk(parts.planted.diskLies);
    this.engine = new SimEngine({
      images: [...images, ...jobImages],
      programs: {
        "app:1": { stopTicks: 3 },
        "app:2": { stopTicks: 30 },
        "app:3": { healthyTicks: 8 },
        "app:flaky": { exitTicks: 80, exitCode: 1 },
        "app:broken": { startError: "no such file or directory" },
        "job:done": { exitTicks: 20, exitCode: 0 },
        "job:fails": { exitTicks: 20, exitCode: 1 },
      },
      actionTicks: () => 1 + parts.random.below(4),
      newsLostPercent: 5,
      random: parts.random,
    });
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** Its agent runs in another life than `life` counts when it was started or killed since. */
  get life(): number {
    return this.#life;
  }

  /** What its clock shows. */
  get wallMs(): number {
    return epochMs + this.#parts.agenda.nowMs + this.skewMs;
  }

  get engineLost(): boolean {
    return this.#engineLost !== "" || this.#engineHangs;
  }

  /** How long its agent had not run at a moment of virtual time, if it does not run now; else 0. */
  offMsAt(wallMs: number): number {
    return this.peer === undefined ? wallMs - epochMs - this.#diedMs : 0;
  }

  get thawedAgoMs(): number {
    return this.#parts.agenda.nowMs - this.#thawedMs;
  }

  /** As in SimDisk. */
  termOnDisk(index: number): number | "snapshot" | undefined {
    return this.#disk.termAt(index);
  }

  /** Its agent runs and nothing on the host holds it up. */
  get isWell(): boolean {
    const isSlow = this.diskMsMax > diskMsDefault || this.#parts.agenda.nowMs < this.#writesUntilMs;
    return this.peer !== undefined && !this.#frozen && !isSlow;
  }

  /** The host is on and its agent is not: a dial is refused. */
  get refuses(): boolean {
    return this.#powered && this.peer === undefined;
  }

  /** Somebody makes its disk say that it may start whatever it speaks. */
  tamper(): void {
    this.#isTampered = true;
  }

  /** The agent starts on what the disk has, or as the first of a new cluster. */
  start(first = false): void {
    assert(!this.#ended, "an agent that was removed comes back as another one");
    const { random, mint, agenda, planted } = this.#parts;
    const newest = this.#isTampered ? Number.MAX_SAFE_INTEGER : this.dialect.newest;
    const recovered = first ? bootstrapJournal(this.id) : this.#disk.recover(newest);
    this.#life += 1;
    this.#powered = true;
    this.#frozen = false;
    this.#missedTicks = 0;
    this.#restedTicks = 0;
    this.#held = [];
    const faults = planted.peer ?? {};
    this.votersMax = this.#parts.votersMax();
    const limits = { votersMax: this.votersMax, voteSilenceMs: 300_000, logEntriesMax };
    const config = { self: this.id, ...limits, dialect: this.dialect, faults };
    this.peer = new Peer(config, recovered, random, mint);
    this.engine.attach();
    this.#say();
    const life = this.#life;
    agenda.in(random.below(tickMs), () => this.#tick(life));
  }

  /** kill -9 of the agent: the disk keeps what is durable, containers run on. */
  killAgent(): void {
    if (this.peer !== undefined) this.#diedMs = this.#parts.agenda.nowMs;
    this.peer = undefined;
    this.#life += 1;
    this.#disk.powerLoss(this.#parts.random);
  }

  powerLoss(): void {
    this.killAgent();
    this.#powered = false;
    this.plan = undefined;
    this.#engineLost = "";
    this.#engineHangs = false;
    this.engine.recover();
    this.engine.powerLoss();
  }

  /** It is no member any more: its agent has removed what ran for the cluster, and is gone for good. */
  end(): void {
    this.powerLoss();
    this.#ended = true;
  }

  loseEngine(): void {
    if (this.engineLost) return;
    this.#engineLost = "connect ECONNREFUSED";
    this.engine.lose(this.#engineLost);
    this.#say();
  }

  /** Neither does it answer nor does it say that it will not. */
  hangEngine(): void {
    if (this.engineLost) return;
    this.#engineHangs = true;
    this.#later(engineTimeoutMs, () => {
      if (!this.#engineHangs) return;
      this.#engineLost = "timeout";
      const input = { kind: "engine", ready: false, reason: this.#engineLost } as const;
      this.give({ kind: "worker", input });
      this.#say();
    });
  }

  recoverEngine(): void {
    if (!this.engineLost) return;
    this.#engineLost = "";
    this.#engineHangs = false;
    this.engine.recover();
    this.#say();
  }

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    this.#thawedMs = this.#parts.agenda.nowMs;
    for (const input of this.#held.splice(0)) this.give(input);
  }

  give(input: Input): void {
    if (this.peer === undefined) return;
    if (this.#frozen) {
      this.#held.push(input);
      return;
    }
    this.#passTicks(0);
    this.#step(input);
  }

  #step(input: Input): void {
    for (const effect of this.peer?.step(input, this.wallMs) ?? []) this.#perform(effect);
  }

  #passTicks(lateTicks: number): void {
    const ticks = this.#restedTicks;
    this.#restedTicks = 0;
    if (ticks > 0) this.#step({ kind: "tick", ticks, lateTicks });
  }

  #say(): void {
    this.give({
      kind: "described",
      said: {
        description: describe(this.id),
        addresses: [meshAddress(this.id)],
        engine: { ready: this.#engineLost === "", reason: this.#engineLost },
        ...(this.root !== undefined && { root: this.root }),
        network: {
          mtu: 1500,
          routes: ["172.30.0.0/16"],
          encryption: "kernel",
          publicKey: testKey(this.id),
          problem: "",
        },
      },
    });
  }

  #tick(life: number): void {
    if (life !== this.#life) return;
    if (this.#frozen) {
      this.#missedTicks += 1;
    } else {
      const news = this.#engineHangs ? [] : this.engine.tick();
      for (const input of news) this.give({ kind: "worker", input });
      const lateTicks = this.#missedTicks;
      this.#missedTicks = 0;
      this.#restedTicks += 1;
      const isDue = lateTicks > 0 || this.#restedTicks >= (this.peer?.restTicks ?? 1);
      if (isDue) this.#passTicks(lateTicks);
      this.#certify();
    }
    this.#parts.agenda.in(tickMs, () => this.#tick(life));
  }

  #certify(): void {
    this.#followRole();
    const next = this.peer?.view.cluster?.NextRoot?.PublicKey;
    if (next === undefined || next === this.root) return;
    this.#nextRootTicks += 1;
    if (this.#nextRootTicks < certificateTicks) return;
    this.#nextRootTicks = 0;
    this.root = next;
    this.#say();
  }

  /** A manager gives it another certificate soon after its own state shows another role. */
  #followRole(): void {
    const view = this.peer?.view;
    const role = view?.node(this.id)?.Spec.Role;
    if (view === undefined || role === undefined || role === this.certificate.role) {
      this.#roleTicks = 0;
      return;
    }
    this.#roleTicks += 1;
    if (this.#roleTicks >= certificateTicks && view.index >= this.certificate.asOf) {
      this.certificate = { role, asOf: view.index };
    }
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "disk": {
        this.#disk.begin(effect.step);
        const takesMs = 1 + this.#parts.random.below(this.diskMsMax);
        this.#writesUntilMs = takesMs > diskMsDefault ? this.#parts.agenda.nowMs + takesMs : 0;
        return this.#later(takesMs, () => {
          this.#disk.finish();
          this.give({ kind: "persisted" });
        });
      }
      case "engine":
        this.#parts.outside(this, effect);
        return this.engine.perform(effect.action);
      case "arrange":
        return this.#later(1 + this.#parts.random.below(arrangeMsMax), () => this.#arrange(effect));
      case "reborn":
        this.killAgent();
        return this.start();
      case "measure":
        return this.#later(1, () => this.give({ kind: "measured", usage: this.#usage() }));
      default:
        this.#parts.outside(this, effect);
    }
  }

  /** Of plans that overtake each other the newest stays. */
  #arrange({ plan, index }: Extract<Effect, { kind: "arrange" }>): void {
    if (this.plan === undefined || index > this.#planIndex) {
      this.plan = plan;
      this.#planIndex = index;
    }
    this.give({ kind: "arranged", index });
  }

  #later(delayMs: number, run: () => void): void {
    const life = this.#life;
    this.#parts.agenda.in(delayMs, () => {
      if (life === this.#life) run();
    });
  }

  #usage(): Usage {
    const containers = this.engine.containers().filter(({ phase }) => phase === "running").length;
    return {
      cpu: Math.min(1, containers / 20),
      memoryBytes: containers * 2 ** 26,
      memoryTotalBytes: 2 ** 33,
      load: containers / 10,
      containers,
      images,
      diskFreeBytes: 2 ** 36,
      atMs: this.wallMs,
    };
  }
}

/** Hosts are numbered, and so are their addresses. */
export function meshAddress(id: NodeId): string {
  return `172.30.0.${Number(id.slice("host".length))}:7946`;
}

export function describe(id: NodeId): NodeDescription {
  return {
    Hostname: id,
    Platform: { Architecture: "x86_64", OS: "linux" },
    Resources: { NanoCPUs: 4e9, MemoryBytes: 2 ** 33 },
    Engine: {
      EngineVersion: "20.10.24",
      Labels: {},
      Plugins: [{ Type: "Network", Name: "bridge" }],
    },
  };
}
