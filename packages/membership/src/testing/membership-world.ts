/**
 * Membership world: several Membership machines in virtual time, on links that behave like TCP under loss.
 *
 * One seed is one history. Between every two hosts there is one ordered stream each way. A lost frame is
 * sent again after 200, 400, 800 … ms, and everything behind it waits. A paused host keeps its inbox and
 * gets its ticks late, as a stopped process does.
 */
import type { NodeId, Random } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import { defaultConfig } from "../config.ts";
import type { MembershipFaults } from "../faults.ts";
import { type Effect, type Input, Membership } from "../membership.ts";
import type { Verdict } from "../peer-record.ts";

export interface LinkWeather {
  /** Percentage of frames that are lost. */
  readonly lossPercent: number;
  /** Each frame takes 1 to so many milliseconds. */
  readonly delayMsMax: number;
  /** Percentage of hosts that, in each tick, pause for up to `pauseMsMax`. */
  readonly pausePercent: number;
  readonly pauseMsMax: number;
}

export const calm: LinkWeather = { lossPercent: 0, delayMsMax: 5, pausePercent: 0, pauseMsMax: 1 };

export interface RecordedVerdict {
  readonly atMs: number;
  readonly by: NodeId;
  readonly peer: NodeId;
  readonly verdict: Verdict;
  readonly reason: string;
}

interface Host {
  readonly id: NodeId;
  machine: Membership;
  /** "up": runs. "agentless": refuses connections. "down": says nothing. */
  state: "up" | "agentless" | "down";
  life: number;
  asleepUntilMs: number;
  /** Hears nobody, while everybody hears it. */
  deaf: boolean;
  inbox: Input[];
  sent: number;
  rumours: number;
  ticks: number;
  /** Ticks that have passed and that the machine has not got. */
  rested: number;
}

const tickMs = 50;
const redialMs = 300;
const beatTicks = 3;
/** The longest rest of a real peer. */
const restTicksMax = 4;
const firstRetryMs = 200;

export class MembershipWorld {
  readonly judgements: RecordedVerdict[] = [];
  readonly ids: readonly NodeId[];
  weather: LinkWeather;
  /** Gossip takes another path round a broken link if there is one. */
  gossipGoesRound = true;
  /** Machines get ticks only when they have something to do, as in a real peer; otherwise they get each tick. */
  rests = true;
  /** How often time alone woke a machine. */
  wakes = 0;
  nowMs = 0;
  readonly #random: Random;
  readonly #faults: MembershipFaults;
  readonly #hosts = new Map<NodeId, Host>();
  readonly #agenda = new Map<number, (() => void)[]>();
  /** When the last frame on this stream arrives. */
  readonly #streams = new Map<string, number>();
  readonly #cuts = new Set<string>();
  #leader: NodeId | undefined;
  #members: readonly NodeId[];
  #workers: readonly NodeId[] = [];

  constructor(
    seed: number,
    peers: number,
    weather: LinkWeather = calm,
    faults: MembershipFaults = {},
  ) {
    this.#random = seededRandom(seed);
    this.#faults = faults;
    this.weather = weather;
    this.ids = Array.from({ length: peers }, (_, n) => `n${String(n).padStart(2, "0")}` as NodeId);
    this.#members = this.ids;
    for (const id of this.ids) {
      const machine = this.#machine(id);
      const host: Host = {
        id,
        machine,
        state: "up",
        life: 0,
        asleepUntilMs: 0,
        deaf: false,
        inbox: [],
        sent: 0,
        rumours: 0,
        ticks: 0,
        rested: 0,
      };
      this.#hosts.set(id, host);
      this.#start(host);
    }
  }

  run(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end; this.nowMs += 1) {
      const due = this.#agenda.get(this.nowMs);
      if (due === undefined) continue;
      for (const act of due) act();
      this.#agenda.delete(this.nowMs);
    }
  }

  /** The host stops without a message. */
  powerOff(id: NodeId): void {
    this.#host(id).state = "down";
  }

  /** The agent dies, its host refuses connections. */
  killAgent(id: NodeId): void {
    this.#host(id).state = "agentless";
  }

  startAgent(id: NodeId): void {
    const host = this.#host(id);
    host.machine = this.#machine(id);
    host.state = "up";
    host.inbox = [];
    host.rested = 0;
    this.#start(host);
  }

  freeze(id: NodeId, ms: number): void {
    this.#host(id).asleepUntilMs = this.nowMs + ms;
  }

  deafen(id: NodeId, deaf: boolean): void {
    this.#host(id).deaf = deaf;
  }

  cut(a: NodeId, b: NodeId): void {
    this.#cuts.add(`${a} ${b}`).add(`${b} ${a}`);
  }

  /** No frame of `from` reaches `to`. */
  cutOneWay(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from} ${to}`);
  }

  heal(): void {
    this.#cuts.clear();
  }

  /** From now on this host sends heartbeats with its sightings, and other hosts answer them, as in Raft. */
  lead(id: NodeId): void {
    this.#leader = id;
  }

  setMembers(ids: readonly NodeId[], workers: readonly NodeId[] = []): void {
    this.#members = ids;
    this.#workers = workers;
    for (const host of this.#hosts.values()) {
      if (host.state === "up") this.#give(host, { kind: "members", ids, workers });
    }
  }

  /** From now on this host only says, every half second, that it does not hear the victims. */
  slander(by: NodeId, victims: readonly NodeId[], incarnation: (round: number) => number): void {
    const host = this.#host(by);
    for (let round = 1; round <= 200; round += 1) {
      this.at(this.nowMs + round * 500, () => {
        const opinions = victims.map((peer) => {
          return { peer, opinion: "silent" as const, incarnation: incarnation(round) };
        });
        const own = { sequence: 1000 + round, incarnation: 0, health: 0, repeatTicks: 10 };
        for (const to of this.ids) {
          const input: Input = { kind: "rumour", from: by, rumour: { ...own, opinions } };
          if (to !== by && host.state === "up") this.#carry(by, to, input);
        }
      });
    }
  }

  machineOf(id: NodeId): Membership {
    return this.#host(id).machine;
  }

  verdict(by: NodeId, peer: NodeId): Verdict {
    return this.#host(by).machine.verdictOf(peer).verdict;
  }

  /** Point-to-point messages, and rumours, that this host has sent so far. */
  traffic(id: NodeId): { readonly sent: number; readonly rumours: number } {
    const { sent, rumours } = this.#host(id);
    return { sent, rumours };
  }

  at(ms: number, act: () => void): void {
    const due = this.#agenda.get(ms);
    if (due === undefined) this.#agenda.set(ms, [act]);
    else due.push(act);
  }

  #machine(id: NodeId): Membership {
    const machine = new Membership({ ...defaultConfig, self: id }, this.#faults);
    machine.step({ kind: "members", ids: this.#members, workers: this.#workers });
    return machine;
  }

  #start(host: Host): void {
    host.life += 1;
    this.#tick(host, host.life, this.nowMs + 1 + this.#random.below(tickMs));
    this.#redial(host, host.life);
  }

  #tick(host: Host, life: number, dueMs: number): void {
    const act = (): void => {
      if (host.state !== "up" || host.life !== life) return;
      if (host.asleepUntilMs > this.nowMs) {
        this.at(host.asleepUntilMs, act);
        return;
      }
      const lateTicks = Math.floor((this.nowMs - dueMs) / tickMs);
      host.rested += 1;
      const restTicks = this.rests ? Math.min(restTicksMax, host.machine.restTicks) : 1;
      const isDue = lateTicks > 0 || host.rested >= restTicks;
      if (isDue) this.wakes += 1;
      // The worst order: the tick comes before the messages that arrived meanwhile.
      if (isDue) this.#passTicks(host, lateTicks);
      this.#beat(host);
      for (const input of host.inbox.splice(0)) this.#give(host, input);
      if (this.#random.below(100) < this.weather.pausePercent) {
        host.asleepUntilMs = this.nowMs + this.#random.below(this.weather.pauseMsMax);
      }
      this.#tick(host, life, Math.max(dueMs + tickMs, this.nowMs + tickMs / 2));
    };
    this.at(Math.max(dueMs, this.nowMs + 1), act);
  }

  /** What the shell does with watched peers that it has no connection to. */
  #redial(host: Host, life: number): void {
    this.at(this.nowMs + redialMs, () => {
      if (host.state !== "up" || host.life !== life) return;
      for (const peer of host.machine.watched()) {
        const refuses = this.#host(peer).state === "agentless";
        if (refuses && !this.#isCut(host.id, peer)) this.#arrive(host, { kind: "refused", peer });
      }
      this.#redial(host, life);
    });
  }

  #beat(host: Host): void {
    host.ticks += 1;
    if (this.#leader !== host.id || host.ticks % beatTicks !== 0) return;
    this.#passTicks(host, 0);
    for (const to of this.ids) {
      if (to === host.id) continue;
      const sightings = host.machine.sightingsFor(to);
      this.#carry(host.id, to, { kind: "heard", from: host.id, sightings });
    }
  }

  /** Delivers the ticks that it has rested for, the last of them late. */
  #passTicks(host: Host, lateTicks: number): void {
    for (; host.rested > 0; host.rested -= 1) {
      this.#give(host, { kind: "tick", lateTicks: host.rested > 1 ? 0 : lateTicks });
    }
  }

  #arrive(host: Host, input: Input): void {
    if (host.state !== "up" || host.deaf) return;
    if (host.asleepUntilMs > this.nowMs) {
      host.inbox.push(input);
      return;
    }
    this.#passTicks(host, 0);
    this.#give(host, input);
  }

  #give(host: Host, input: Input): void {
    for (const effect of host.machine.step(input)) this.#perform(host, effect);
    const isHeartbeat = input.kind === "heard" && input.from === this.#leader;
    if (isHeartbeat) this.#carry(host.id, input.from, { kind: "heard", from: host.id });
  }

  #perform(host: Host, effect: Effect): void {
    switch (effect.kind) {
      case "send":
        host.sent += 1;
        this.#carry(host.id, effect.to, {
          kind: "received",
          from: host.id,
          message: effect.message,
        });
        break;
      case "rumour":
        host.rumours += 1;
        for (const to of this.ids) {
          if (to !== host.id) this.#gossip(host, to, effect);
        }
        break;
      case "verdict": {
        const { peer, verdict, reason } = effect;
        this.judgements.push({ atMs: this.nowMs, by: host.id, peer, verdict, reason });
      }
    }
  }

  #gossip(host: Host, to: NodeId, effect: Extract<Effect, { kind: "rumour" }>): void {
    const input: Input = { kind: "rumour", from: host.id, rumour: effect.rumour };
    if (!this.#isCut(host.id, to)) {
      this.#carry(host.id, to, input);
      return;
    }
    if (!this.gossipGoesRound) return;
    const relay = this.ids.find((id) => {
      const joins = id !== host.id && id !== to && this.#host(id).state === "up";
      return joins && !this.#isCut(host.id, id) && !this.#isCut(id, to);
    });
    if (relay !== undefined) this.#carry(relay, to, input);
  }

  #carry(from: NodeId, to: NodeId, input: Input): void {
    const receiver = this.#hosts.get(to);
    if (receiver === undefined || this.#isCut(from, to)) return;
    let ms = 1 + this.#random.below(this.weather.delayMsMax);
    let retryMs = firstRetryMs;
    while (this.#random.below(100) < this.weather.lossPercent) {
      ms += retryMs;
      retryMs *= 2;
    }
    const stream = `${from} ${to}`;
    const atMs = Math.max(this.nowMs + ms, this.#streams.get(stream) ?? 0);
    this.#streams.set(stream, atMs);
    const { life } = receiver;
    this.at(atMs, () => {
      if (receiver.life === life && !this.#isCut(from, to)) this.#arrive(receiver, input);
    });
  }

  #isCut(from: NodeId, to: NodeId): boolean {
    return this.#cuts.has(`${from} ${to}`);
  }

  #host(id: NodeId): Host {
    const host = this.#hosts.get(id);
    if (host === undefined) throw new Error(`Cannot find host "${id}"`);
    return host;
  }
}
