/**
 * World: hosts, the network between them and the clients that ask them for things, in virtual time.
 *
 * One seed is one history. Checkers look at every effect.
 */
import { assert, type NodeId, type Random } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import { decodeGossip, decodeMessage, type Effect, encodeGossip, encodeMessage } from "@gam/peer";
import {
  type AskedChange,
  type ClusterSpec,
  clusterSpecDefault,
  type NewNode,
  type View,
} from "@gam/state";
import { Agenda } from "./agenda.ts";
import { type Acknowledged, Breach, Checkers, unsettled } from "./checkers.ts";
import type { Planted } from "./faults.ts";
import { describe, Host } from "./host.ts";
import { SimNetwork } from "./network.ts";

/** Histories whose number is a multiple of this send real bytes, so that the codecs take part. */
const codecEvery = 16;
const dialMs = 500;

export class World {
  readonly agenda = new Agenda();
  readonly random: Random;
  readonly network: SimNetwork;
  readonly hosts: readonly Host[];
  readonly checkers = new Checkers();
  /** What happened, for people, when somebody wants to know. */
  readonly trace: string[] = [];
  readonly #codec: boolean;
  readonly #tracing: boolean;
  readonly #mint = counterMint("m");
  readonly #asked = new Map<
    number,
    { host: Host; write: Omit<Acknowledged, "index"> | undefined }
  >();
  #requests = 0;

  constructor(seed: number, hostCount: number, planted: Planted = {}, tracing = false) {
    assert(seed > 0, "seed must be positive");
    this.random = seededRandom(seed * 2654435761);
    this.#codec = seed % codecEvery === 0;
    this.#tracing = tracing;
    this.network = new SimNetwork(this.random);
    this.hosts = Array.from(
      { length: hostCount },
      (_, index) =>
        new Host({
          id: `host${index + 1}` as NodeId,
          agenda: this.agenda,
          random: this.random,
          mint: this.#mint,
          planted,
          outside: (host, effect) => this.#outside(host, effect),
        }),
    );
  }

  /** All hosts up, in one cluster, with everybody's node ready. */
  form(): void {
    this.#dial();
    const [first, ...others] = this.hosts;
    assert(first !== undefined, "a world has a host");
    first.start(true);
    this.run(200);
    const cluster = {
      ID: "cluster",
      Spec: clusterSpecDefault as ClusterSpec,
      Secrets: { Worker: "w", Manager: "m" },
      RootPublicKey: "",
    };
    this.ask(first, [{ kind: "createCluster", cluster }]);
    for (const host of this.hosts) this.ask(first, [{ kind: "joinNode", node: newNode(host.id) }]);
    for (const host of others) host.start();
    this.until("the cluster has formed", 30_000);
  }

  ask(host: Host, changes: readonly AskedChange[], write?: Omit<Acknowledged, "index">): void {
    this.#requests += 1;
    this.#asked.set(this.#requests, { host, write });
    if (write !== undefined) this.checkers.asked(write.kind, write.service);
    this.note(() => `client asks ${host.id}: ${JSON.stringify(changes)}`);
    host.give({ kind: "propose", request: this.#requests, changes });
  }

  /** Agents dial those that they are not connected to, about twice a second. */
  #dial(): void {
    for (const from of this.hosts) {
      for (const to of this.hosts) {
        if (!to.refuses || this.network.fate(from.id, to.id, this.agenda.nowMs).length === 0)
          continue;
        from.give({ kind: "refused", peer: to.id });
      }
    }
    this.agenda.in(dialMs, () => this.#dial());
  }

  run(ms: number): void {
    this.agenda.runUntil(this.agenda.nowMs + ms);
  }

  /** Runs until nothing is missing any more. Returns how long that took, in virtual milliseconds. */
  until(what: string, withinMs: number): number {
    const beganMs = this.agenda.nowMs;
    for (;;) {
      const missing = unsettled(this.hosts);
      const tookMs = this.agenda.nowMs - beganMs;
      if (missing === undefined) return tookMs;
      if (tookMs >= withinMs) throw new Breach(`not within ${withinMs} ms: ${what}; ${missing}`);
      this.run(100);
    }
  }

  /** The newest state that any host has. */
  newest(): View {
    const views = this.hosts.flatMap(({ peer }) => (peer === undefined ? [] : [peer.view]));
    const [view] = views.sort((a, b) => b.index - a.index);
    assert(view !== undefined, "some host is on");
    return view;
  }

  /** The newest state, service by service, for people who ask why. */
  describe(): string {
    const view = this.newest();
    const lines = view.nodes().map(({ ID, Status, Spec }) => {
      return `node ${ID} ${Status.State} ${Spec.Availability} ${Status.Message ?? ""}`;
    });
    for (const { ID, Spec, UpdateStatus, Gam } of view.services()) {
      const { Image } = Spec.TaskTemplate.ContainerSpec;
      const mode = JSON.stringify(Spec.Mode);
      lines.push(`service ${ID} ${Image} ${mode} template ${Gam.templateVersion}`);
      if (UpdateStatus !== undefined)
        lines.push(`  ${UpdateStatus.State}: ${UpdateStatus.Message}`);
      for (const task of view.tasksOf(ID)) {
        const { Status, DesiredState, Slot, NodeID } = task;
        const { templateVersion, after, startAfterMs } = task.Gam;
        lines.push(
          `  task ${task.ID} slot ${Slot} on ${NodeID} ${Status.State} wants ${DesiredState} ` +
            `${task.Spec.ContainerSpec.Image} template ${templateVersion} after "${after}" ` +
            `not before ${startAfterMs}; ${Status.Err ?? Status.Message ?? ""}`,
        );
      }
    }
    return lines.join("\n");
  }

  note(text: () => string): void {
    if (this.#tracing) this.trace.push(`${this.agenda.nowMs} ${text()}`);
  }

  #outside(host: Host, effect: Effect): void {
    const { peer } = host;
    if (peer !== undefined && peer.raft.role === "leader") {
      this.checkers.leads(peer.raft.term, host.id);
    }
    switch (effect.kind) {
      case "send":
        return this.#send(host, effect);
      case "gossip":
        for (const to of this.hosts) if (to !== host) this.#gossip(host, to, effect);
        return;
      case "happened":
        this.note(
          () => `${host.id} applies ${effect.index}: ${effect.events.map(brief).join(", ")}`,
        );
        return this.checkers.happened(host.id, effect.index, effect.events, this.hosts);
      case "proposed":
        return this.#answered(effect);
      case "note":
        return this.note(() => `${host.id}: ${effect.text} ${JSON.stringify(effect.fields)}`);
      default:
        return;
    }
  }

  #send(host: Host, effect: Extract<Effect, { kind: "send" }>): void {
    const to = this.hosts.find(({ id }) => id === effect.to);
    if (to === undefined) return;
    const { channel } = effect.message;
    const bytes = this.#codec ? encodeMessage(effect.message) : undefined;
    for (const delayMs of this.network.fate(host.id, to.id, this.agenda.nowMs)) {
      this.agenda.in(delayMs, () => {
        const message = bytes === undefined ? effect.message : decodeMessage(channel, bytes);
        to.give({ kind: "received", from: host.id, message });
      });
    }
  }

  #gossip(host: Host, to: Host, effect: Extract<Effect, { kind: "gossip" }>): void {
    const { topic } = effect.gossip;
    const bytes = this.#codec ? encodeGossip(effect.gossip) : undefined;
    for (const delayMs of this.network.fate(host.id, to.id, this.agenda.nowMs)) {
      this.agenda.in(delayMs, () => {
        const gossip = bytes === undefined ? effect.gossip : decodeGossip(topic, bytes);
        to.give({ kind: "gossiped", from: host.id, gossip });
      });
    }
  }

  #answered(effect: Extract<Effect, { kind: "proposed" }>): void {
    const asked = this.#asked.get(effect.request);
    this.#asked.delete(effect.request);
    this.note(() => `client hears from ${asked?.host.id}: ${JSON.stringify(effect.answer)}`);
    if (asked?.write === undefined || effect.answer.kind !== "applied") return;
    this.checkers.acknowledged({ ...asked.write, index: effect.answer.index });
  }
}

function brief(event: { table: string; after?: unknown; before?: unknown }): string {
  const row = (event.after ?? event.before) as Record<string, unknown> & {
    Status?: { State: string; Err?: string; Message?: string };
  };
  const state = row.Status === undefined ? "" : ` ${row.Status.State} ${row.Status.Err ?? ""}`;
  const wish =
    row.DesiredState === undefined
      ? ""
      : ` wants ${row.DesiredState} slot ${row.Slot} on ${row.NodeID}`;
  return `${event.table} ${row.ID ?? row.Id}${state}${wish}${event.after === undefined ? " gone" : ""}`;
}

function newNode(id: NodeId): NewNode {
  return {
    ID: id,
    Spec: { Labels: {}, Role: "manager", Availability: "active" },
    Description: describe(id),
    Status: { State: "unknown", Addr: id },
    Gam: {
      peerId: id,
      addresses: [`${id}:7946`],
      engine: { ready: true, reason: "" },
      engineLostAtMs: 0,
    },
  };
}
