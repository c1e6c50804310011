/**
 * Host: one peer with its disk, its engine and its clock, and a power switch.
 *
 * Containers outlive the agent but not the power. Performs the peer's effects in virtual time, as the
 * agent does in real time.
 */
import { assert, type Mint, type NodeId, type Random, type TaskId } from "@gam/core";
import { testKey } from "@gam/core/testing";
import type { NodePlan } from "@gam/network";
import { bootstrapJournal, type Effect, type Input, Peer, type Sender, tickMs } from "@gam/peer";
import type {
  Dialect,
  HttpAnswer,
  NodeDescription,
  TaskCheck,
  TaskToMeasure,
  Usage,
} from "@gam/state";
import { SimEngine } from "@gam/worker/testing";
import type { Agenda } from "./agenda.ts";
import { SimDisk } from "./disk.ts";
import type { Planted } from "./faults.ts";

/** Start of virtual time, as milliseconds since 1970. */
const epochMs = 1_700_000_000_000;

/** Few, so that every history has snapshots, on disks and on the wire. */
const logEntriesMax = 20;

/** The agent reports its engine as lost after this time without an answer. */
const engineTimeoutMs = 3000;

/** Longest time until a GET is answered. */
const answerMsMax = 200;
/** Longest time until a plan is in force. */
const arrangeMsMax = 2000;
/** Time from learning of a next root key or a new role to getting the certificate. */
const certificateTicks = 20;

/** Images of services that every engine has. The last two restart without end: see `restless`. */
export const images = ["app:1", "app:2", "app:3", "app:flaky", "app:broken"] as const;
/** Images of jobs that every engine has: one succeeds after a second, the other fails. */
export const jobImages = ["job:done", "job:fails"] as const;
/** Images that do not keep running: `app:flaky` exits after four seconds, `app:broken` cannot be started. */
export const restless: ReadonlySet<string> = new Set(["app:flaky", "app:broken", "job:fails"]);

/** Longest write of a healthy disk. */
export const diskMsDefault = 5;

export interface HostParts {
  readonly id: NodeId;
  readonly agenda: Agenda;
  readonly random: Random;
  readonly mint: Mint;
  readonly planted: Planted;
  readonly dialect: Dialect;
  readonly votersMax: () => number;
  /** Gets every effect that is not performed on the host itself. */
  readonly outside: (host: SimHost, effect: Effect) => void;
}

export class SimHost {
  readonly id: NodeId;
  readonly engine: SimEngine;
  readonly #parts: HostParts;
  readonly #disk: SimDisk;
  peer: Peer | undefined;
  /** The plan by which its kernel forwards connections. */
  plan: NodePlan | undefined;
  /** When its current slow write ends. */
  #writesUntilMs = 0;
  /** Setting of the peer that runs, or ran last. */
  votersMax = 0;
  #planIndex = 0;
  /** Counts starts and ends of the agent, so that what an earlier run began has no effect. */
  #life = 0;
  #diedMs = 0;
  #thawedMs = Number.NEGATIVE_INFINITY;
  /** What tasks answer when they are asked whether they are well. */
  taskCheck: (task: TaskId) => TaskCheck = () => ({ failures: 0, reason: "" });
  /** What comes of a GET. */
  answer: (url: string) => HttpAnswer = () => ({ error: "nobody listens" });
  /** What each task uses of which the cluster wants to know. */
  coresPerTask: () => number = () => 0;
  /** How far its clock differs from virtual time. */
  skewMs = 0;
  /** The newest root key of which it has a certificate. Survives restarts. */
  root: string | undefined;
  /** The dialect of the log that its gam speaks. An upgrade changes it while the agent is off. */
  dialect: Dialect;
  /** The certificate that it shows. Survives restarts. */
  certificate: Pick<Sender, "role" | "asOf"> = { role: "manager", asOf: 0 };
  #nextRootTicks = 0;
  #roleTicks = 0;
  /** Longest time of a write. */
  diskMsMax = diskMsDefault;
  #powered = false;
  #isTampered = false;
  #ended = false;
  /** Why its engine does not answer, or "". */
  #engineLost = "";
  #engineHangs = false;
  #frozen = false;
  #missedTicks = 0;
  /** Ticks that have passed while the peer rests, and that it has not got yet. */
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

  /** Counts the agent's lives: it differs once the agent was started or killed since. */
  get life(): number {
    return this.#life;
  }

  /** Time by its own clock. */
  get wallMs(): number {
    return this.trueMs + this.skewMs;
  }

  /** Time by a clock that is right. */
  get trueMs(): number {
    return epochMs + this.#parts.agenda.nowMs;
  }

  get engineLost(): boolean {
    return this.#engineLost !== "" || this.#engineHangs;
  }

  /** How long its agent had been off at a moment of virtual time; 0 if it runs now. */
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

  /** Whether its agent runs and nothing on the host delays it. */
  get isWell(): boolean {
    const isSlow = this.diskMsMax > diskMsDefault || this.#parts.agenda.nowMs < this.#writesUntilMs;
    return this.peer !== undefined && !this.#frozen && !isSlow;
  }

  /** Whether the host is on and its agent is off, so that a dial is refused. */
  get refuses(): boolean {
    return this.#powered && this.peer === undefined;
  }

  /** Changes its disk so that the agent starts on it whatever dialect it speaks. */
  tamper(): void {
    this.#isTampered = true;
  }

  /** Starts the agent from its disk, or as the first of a new cluster. */
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
    this.peer = new Peer({ config, recovered, random, mint });
    this.engine.attach();
    this.#say();
    const life = this.#life;
    agenda.in(random.below(tickMs), () => this.#tick(life));
  }

  /** kill -9 of the agent: the disk keeps what is durable, containers keep running. */
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

  /** The host was removed: its agent deletes the cluster's containers and never starts again. */
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

  /** The engine neither answers nor refuses. */
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
        version: `0.${this.dialect.newest}.0`,
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

  /** Changes the certificate soon after the host's own state shows another role. */
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
      case "ask": {
        const { id, url } = effect;
        return this.#later(1 + this.#parts.random.below(answerMsMax), () => {
          this.give({ kind: "asked", id, answer: this.answer(url) });
        });
      }
      case "measure":
        return this.#later(1, () => {
          this.give({ kind: "measured", usage: this.#usage(effect.tasks) });
        });
      default:
        this.#parts.outside(this, effect);
    }
  }

  /** Puts a plan in force after a random time. If plans overtake each other, the newest stays. */
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

  #usage(tasks: readonly TaskToMeasure[]): Usage {
    const containers = this.engine.containers().filter(({ phase }) => phase === "running").length;
    return {
      cpu: Math.min(1, containers / 20),
      memoryBytes: containers * 2 ** 26,
      memoryTotalBytes: 2 ** 33,
      load: containers / 10,
      containers,
      images,
      diskFreeBytes: 2 ** 36,
      ...(tasks.length > 0 && {
        tasks: tasks.map(({ id, check }) => ({
          ...{ id, cpu: this.coresPerTask(), memoryBytes: 2 ** 26 },
          ...(check && { check: this.taskCheck(id) }),
        })),
      }),
      atMs: this.wallMs,
    };
  }
}

/** A host's address, which has the host's number. */
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
