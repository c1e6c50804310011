/**
 * Driver: runs one peer on this host with timers, sockets, disk and engine. Decides nothing.
 *
 * Performs the effects in the order in which the peer gives them, and feeds the results back as inputs. A disk
 * error or a broken invariant ends the agent. Containers keep running, and the next start reads the journal.
 */

import { messageOf, type NodeId, unreachable } from "@gam/core";
import type { Mesh, Wanted } from "@gam/mesh";
import {
  decodeGossip,
  decodeMessage,
  type Effect,
  encodeGossip,
  encodeMessage,
  type Input,
  type Peer,
  type ProposalOutcome,
  tickMs,
} from "@gam/peer";
import { type DockerEngine, httpGet } from "@gam/runtime";
import type { AskedChange, Event, GenericResource } from "@gam/state";
import type { Disk } from "./disk/disk.ts";
import type { HttpDesk } from "./http/http-desk.ts";
import type { AgentLog } from "./log.ts";
import type { Networking } from "./networking.ts";
import { Pace } from "./pace.ts";
import { watchSelf } from "./self-description.ts";

export interface DriverParts {
  readonly peer: Peer;
  readonly mesh: Mesh;
  readonly disk: Disk;
  readonly engine: DockerEngine;
  readonly networking: Networking;
  readonly http: HttpDesk;
  readonly log: AgentLog;
  /** Ends the agent. Called once, with the error. */
  readonly fail: (thrown: unknown) => void;
  /** Called when this peer has been removed from the cluster. */
  readonly removed: () => void;
  /** Called when the disk holds another life of the cluster, for which the caller must make a new peer. */
  readonly reborn: () => void;
  /** Peers to connect to until the state names the members. */
  readonly contacts: readonly Wanted[];
  /** Generic resources of this host. */
  readonly genericResources: readonly GenericResource[];
  /** The newest root key that this peer has a certificate of, base64. */
  readonly root: () => string | undefined;
  /** The gam that this is. */
  readonly version: string;
}

export class Driver {
  readonly #parts: DriverParts;
  readonly #answers = new Map<number, (answer: ProposalOutcome) => void>();
  readonly #reads = new Map<number, (isFresh: boolean) => void>();
  readonly #listeners = new Set<(event: Event) => void>();
  readonly #endings: (() => void)[] = [];
  #lookAtSelf: (() => void) | undefined;
  #requests = 0;
  /** Undefined before start(). */
  #pace: Pace | undefined;
  #alarm: NodeJS.Timeout | undefined;
  #alarmMs = 0;
  #disk: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: DriverParts) {
    this.#parts = parts;
  }

  start(): void {
    const { mesh, engine } = this.#parts;
    const self = watchSelf({
      engine,
      mesh,
      networking: this.#parts.networking,
      log: this.#parts.log,
      genericResources: this.#parts.genericResources,
      fail: this.#parts.fail,
      root: this.#parts.root,
      version: this.#parts.version,
      said: (said) => this.#step({ kind: "described", said }),
      observed: (input) => this.#step({ kind: "worker", input }),
    });
    this.#lookAtSelf = self.look;
    this.#endings.push(
      self.close,
      mesh.onMessage(({ from, protocol, body, sender }) => {
        this.#step({ kind: "received", from, sender, message: decodeMessage(protocol, body) });
      }),
      mesh.onGossip((from, topic, bytes) => {
        this.#step({ kind: "gossiped", from, gossip: decodeGossip(topic, bytes) });
      }),
      mesh.onReach((peer, reach) => {
        if (reach === "refused") this.#step({ kind: "refused", peer });
      }),
    );
    this.#membersNow();
    this.#pace = new Pace(tickMs, performance.now());
    this.#sleep();
    this.#endings.push(() => clearTimeout(this.#alarm));
  }

  /** Describes this node again, after it has changed. */
  describeAnew(): void {
    this.#lookAtSelf?.();
  }

  /** Stops without notice to other peers. Resolves when all disk writes have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const end of this.#endings) end();
    for (const settle of this.#answers.values()) {
      settle({ kind: "lost", message: "the agent is stopping" });
    }
    for (const done of this.#reads.values()) done(false);
    await this.#disk;
  }

  /** Resolves when everything that the peer has asked to write so far is on the disk. */
  async durable(): Promise<void> {
    // Writes requested during one disk step are part of the next one.
    await this.#disk;
    await this.#disk;
  }

  /** Resolves when the changes are applied here, are refused, or may be lost. */
  propose(changes: readonly AskedChange[]): Promise<ProposalOutcome> {
    return new Promise((resolve) => {
      if (this.#stopped) return resolve({ kind: "lost", message: "the agent is stopping" });
      this.#requests += 1;
      this.#answers.set(this.#requests, resolve);
      this.#step({ kind: "propose", request: this.#requests, changes });
    });
  }

  /**
   * Resolves to true when the view holds all writes acknowledged before the call, to false when the peer gives up
   * waiting.
   */
  fresh(): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.#stopped) return resolve(false);
      this.#requests += 1;
      this.#reads.set(this.#requests, resolve);
      this.#step({ kind: "read", request: this.#requests });
    });
  }

  recover(id: string, gone: readonly NodeId[]): void {
    this.#step({ kind: "recover", id, gone });
  }

  withheld(refusal: { peer: NodeId; what: string; reason: string }): void {
    this.#step({ kind: "withheld", ...refusal });
  }

  resign(): void {
    this.#step({ kind: "resign" });
  }

  subscribe(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #step(input: Input): void {
    this.#passTime(false);
    this.#take(input);
    this.#sleep();
  }

  #passTime(isWoken: boolean): void {
    const passed = this.#pace?.passed(performance.now(), isWoken);
    if (passed !== undefined) this.#take({ kind: "tick", ...passed });
  }

  #take(input: Input): void {
    if (this.#stopped) return;
    try {
      for (const effect of this.#parts.peer.step(input, Date.now())) this.#perform(effect);
    } catch (thrown) {
      this.#stopped = true;
      this.#parts.fail(thrown);
    }
  }

  /** Sets the timer for the next tick at which the peer has something to do. */
  #sleep(): void {
    if (this.#pace === undefined || this.#stopped) return;
    const nowMs = performance.now();
    const delayMs = this.#pace.rest(nowMs, this.#parts.peer.restTicks);
    const dueMs = nowMs + delayMs;
    if (this.#alarm !== undefined && Math.abs(this.#alarmMs - dueMs) < tickMs / 2) return;
    clearTimeout(this.#alarm);
    this.#alarmMs = dueMs;
    this.#alarm = setTimeout(() => {
      this.#alarm = undefined;
      this.#passTime(true);
      this.#sleep();
    }, delayMs);
  }

  #perform(effect: Effect): void {
    const { mesh, engine, log } = this.#parts;
    switch (effect.kind) {
      case "send":
        return mesh.send(effect.to, effect.message.channel, encodeMessage(effect.message));
      case "gossip":
        return mesh.publish(effect.gossip.topic, encodeGossip(effect.gossip));
      case "disk":
        this.#disk = this.#parts.disk.perform(effect.step).then(
          () => this.#step({ kind: "persisted" }),
          (thrown) => this.#parts.fail(thrown),
        );
        return;
      case "engine":
        engine
          .perform(effect.action)
          .then((outcome) =>
            this.#step({
              kind: "worker",
              input: { kind: "acted", id: effect.action.id, outcome },
            }),
          )
          .catch((thrown) => this.#parts.fail(thrown));
        return;
      case "proposed": {
        const settle = this.#answers.get(effect.request);
        this.#answers.delete(effect.request);
        return settle?.(effect.answer);
      }
      case "read": {
        const done = this.#reads.get(effect.request);
        this.#reads.delete(effect.request);
        return done?.(effect.fresh);
      }
      case "happened":
        for (const event of effect.events) for (const listener of this.#listeners) listener(event);
        return;
      case "arrange":
        return this.#arrange(effect);
      case "members":
        return this.#membersNow();
      case "refused":
        return mesh.refuse(effect.peer, effect.reason);
      case "verify":
        return void mesh.verify(effect.peer, effect.address);
      case "drop":
        return mesh.drop(effect.peer);
      case "measure":
        engine.usage(effect.tasks).then(
          (usage) => this.#step({ kind: "measured", usage }),
          (thrown) => log.debug({ reason: messageOf(thrown) }, "Could not measure usage"),
        );
        return;
      case "ask":
        return void httpGet(effect.url).then((answer) => {
          this.#step({ kind: "asked", id: effect.id, answer });
        });
      case "removed":
        return this.#parts.removed();
      case "reborn":
        return this.#parts.reborn();
      case "note":
        return log[effect.level](effect.fields, effect.text);
      default:
        unreachable(effect);
    }
  }

  #arrange({ plan, http: httpPlan, index }: Extract<Effect, { kind: "arrange" }>): void {
    const { networking, http, fail } = this.#parts;
    networking.arrange(plan);
    http.arrange(httpPlan);
    Promise.all([networking.steered(), http.steered()]).then((steered) => {
      if (steered.every(Boolean)) this.#step({ kind: "arranged", index });
    }, fail);
  }

  #membersNow(): void {
    const { peer, mesh, contacts } = this.#parts;
    const nodes = peer.view.nodes();
    const members = nodes.map(({ ID, Gam }) => ({ nodeId: ID, addresses: Gam.addresses }));
    // A new member finds itself in its own copy of the state only after the log has arrived.
    const arrived = members.some(({ nodeId }) => nodeId === peer.self);
    mesh.setPeers(arrived ? members : contacts);
    for (const { nodeId } of mesh.peers()) if (peer.view.isRemoved(nodeId)) mesh.evict(nodeId);
  }
}
