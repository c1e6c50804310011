/**
 * Data plane: makes this node's kernel and engine match the node plan, and keeps them so.
 *
 *   const plane = new DataPlane({ networks, keys, log });
 *   plane.apply(plan);        // for every new plan; the newest wins
 *   await plane.audit();      // after news of the engine; runs by itself on events and every 15 s
 *   plane.problems();         // what failed, for people
 *   await plane.close();      // keeps everything in place; plane.remove() removes it
 *
 * Decides the order of the work and when to audit. Does not decide what the plan means: link-steps.ts (devices,
 * addresses, entries), packet-filter.ts, tunnel-device.ts and forward-rules.ts do. audit-clock.ts decides how soon
 * an audit follows a change.
 *
 * Six lanes run beside each other, so that slow work does not delay a change of an endpoint:
 * - engine: creates the networks and their bridges;
 * - kernel: sets up links, entries and tunnels on the bridges that exist;
 * - filter: writes each service's backends into the host's tables;
 * - fast: writes them into the containers (fast-path.ts);
 * - container: asks the engine for the running containers;
 * - connection: deletes conntrack entries whose backend is gone.
 * A lane keeps the state that it applied last and sends only differences to it. An audit reads the kernel instead,
 * logs what had changed, and sends the differences to what it found. A step that fails stops no other step. It
 * discards its saved state and is tried again at the next plan or audit.
 *
 * Touches only devices, tables and networks with gam's name.
 */

import { existsSync } from "node:fs";
import { type NetworkId, rethrowInvariant } from "@gam/core";
import { hostTable, type NodePlan, wallTable6 } from "@gam/network";
import type { NetworkPlan } from "@gam/state";
import type { RedirectedServers } from "../dns/dns-server.ts";
import { AuditClock } from "./audit-clock.ts";
import { ConfinedRoutes } from "./confined-routes.ts";
import { FastPath } from "./fast-path.ts";
import { type Run, runCommand } from "./kernel/command.ts";
import { ForwardRules } from "./kernel/forward-rules.ts";
import { KernelWatch } from "./kernel/kernel-watch.ts";
import { Lane } from "./kernel/lane.ts";
import { PacketFilter } from "./kernel/packet-filter.ts";
import { pause } from "./kernel/pause.ts";
import type { Sandbox } from "./kernel/sandbox.ts";
import { TrackedConnections } from "./kernel/tracked-connections.ts";
import { type BridgedNetworks, NodeLinks } from "./node-links.ts";
import { type DataPlaneLog, PartReports } from "./part-reports.ts";
import { TunnelDevice } from "./tunnel-device.ts";
import type { TunnelKeys } from "./tunnel-keys.ts";

/** The engine's networks: NetworkBook is one. */
export interface EngineNetworks extends BridgedNetworks {
  /** Has exactly these of the networks whose bridges gam names. Shape: whether one was made. */
  reconcile(plans: readonly NetworkPlan[]): Promise<boolean>;
  /** Containers that run and have a place in one of gam's networks. */
  sandboxes(): Promise<readonly Sandbox[]>;
  /** Removes all of gam's networks except these. */
  prune(keep: readonly NetworkId[]): Promise<void>;
}

export interface DataPlaneOptions {
  readonly networks: EngineNetworks;
  readonly keys: TunnelKeys;
  readonly log: DataPlaneLog;
  readonly run?: Run;
  /** Called with the name servers of containers whose queries come to this node's gateways instead. */
  readonly onUpstreams?: (upstreams: ReadonlyMap<string, RedirectedServers>) => void;
}

const auditEveryMs = 15_000;
const portMs = 20;
/** The engine lists a container only once its process has started, some time after its link appears. */
const containerMs = [250, 1_000];
/** By then the other nodes that are up use the new key. */
const keyMs = 500;
/** There where the kernel has IPv6, and it is not switched off. */
const ip6Devices = "/proc/net/if_inet6";

export class DataPlane {
  readonly #networks: EngineNetworks;
  readonly #keys: TunnelKeys;
  readonly #log: DataPlaneLog;
  readonly #onUpstreams: DataPlaneOptions["onUpstreams"];
  readonly #tunnels: TunnelDevice;
  readonly #filter: PacketFilter;
  readonly #filter6: PacketFilter;
  readonly #fast: FastPath;
  readonly #forward: ForwardRules;
  readonly #confined: ConfinedRoutes;
  readonly #connections: TrackedConnections;
  readonly #engineLane = new Lane(() => this.#engineRound());
  readonly #kernelLane = new Lane(() => this.#kernelRound());
  readonly #filterLane = new Lane(() => this.#filterRound());
  readonly #fastLane = new Lane(() => this.#fastRound());
  readonly #containerLane = new Lane(() => this.#containerRound());
  readonly #connectionLane = new Lane(() => this.#connectionRound());
  readonly #watch = new KernelWatch({
    onChange: () => this.#heard(),
    onPort: () => this.#heardPort(),
  });
  readonly #reports: PartReports;
  readonly #links: NodeLinks;
  readonly #closing = new AbortController();
  #plan: NodePlan | undefined;
  #steered = Promise.resolve(true);
  /** The networks last requested from the engine, as text. */
  #askedEngine: string | undefined;
  /** The engine lane has not requested the last plan's networks yet. */
  #otherNetworks = false;
  /** The next round of the kernel lane is an audit. The next two: the same for the filter and the fast lane. */
  #look = false;
  #lookAtFilter = false;
  #lookAtFast = false;
  #every: NodeJS.Timeout | undefined;
  #watches = false;
  #soon: NodeJS.Timeout | undefined;
  #portSoon: NodeJS.Timeout | undefined;
  #containersSoon: NodeJS.Timeout | undefined;
  readonly #clock = new AuditClock();
  /** The ingress bridge in the iptables rules, "" for none; `undefined` when it is not known. */
  #forwarding: string | undefined;
  #turning = false;

  constructor({ networks, keys, log, run = runCommand, onUpstreams }: DataPlaneOptions) {
    this.#onUpstreams = onUpstreams;
    this.#networks = networks;
    this.#keys = keys;
    this.#log = log;
    this.#reports = new PartReports(log);
    this.#links = new NodeLinks({
      ...{ run, networks, reports: this.#reports },
      isEngineBusy: () => this.#engineLane.busy,
      onLinkAdded: () => {
        this.#fast.doubt();
        void this.#fastLane.ask();
      },
    });
    this.#tunnels = new TunnelDevice(run, keys);
    this.#filter = new PacketFilter(run, "ip");
    this.#filter6 = new PacketFilter(run, "ip6");
    this.#fast = new FastPath(run);
    this.#forward = new ForwardRules(run);
    this.#confined = new ConfinedRoutes(run);
    this.#connections = new TrackedConnections(run);
  }

  /** Returns at once. While one plan is being applied, only the newest of the following ones is kept. */
  apply(plan: NodePlan): void {
    if (this.#closing.signal.aborted) return;
    this.#plan = plan;
    this.#begin(plan);
    const wanted = JSON.stringify(plan.networks.map(({ engine }) => engine));
    if (wanted !== this.#askedEngine) {
      this.#askedEngine = wanted;
      this.#otherNetworks = true;
      void this.#engineLane.ask();
    }
    this.#steered = this.#steer();
    void this.#kernelLane.ask();
  }

  /** Resolves when nothing is left to do for the last plan. */
  async settled(): Promise<void> {
    while (this.#lanes.some(({ busy }) => busy)) {
      for (const lane of this.#lanes) await lane.idle();
    }
  }

  /**
   * Waits until the last plan's backends are written, on the host and in its containers. Returns: whether that
   * worked, so that no new connection follows an older plan. A newer plan may have arrived by then.
   */
  async steered(): Promise<boolean> {
    return await this.#steered;
  }

  async #steer(): Promise<boolean> {
    await this.#filterLane.once();
    await this.#fastLane.once();
    return this.#reports.steers;
  }

  get #lanes(): readonly Lane[] {
    return [
      this.#engineLane,
      this.#kernelLane,
      this.#containerLane,
      this.#filterLane,
      this.#fastLane,
      this.#connectionLane,
    ];
  }

  /** Compares everything with the plan and repairs it. Resolves when that is done. */
  async audit(): Promise<void> {
    clearTimeout(this.#soon);
    this.#clock.begun();
    if (this.#plan === undefined || this.#closing.signal.aborted) return;
    this.#look = true;
    this.#lookAtFilter = true;
    this.#lookAtFast = true;
    for (const lane of this.#lanes) void lane.ask();
    await this.settled();
  }

  /** One sentence for each part that failed at its last try. */
  problems(): readonly string[] {
    return this.#reports.problems;
  }

  /** Stops the audits. Everything in the kernel and the engine stays and keeps working. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#watch.close();
    clearInterval(this.#every);
    clearTimeout(this.#soon);
    clearTimeout(this.#portSoon);
    clearTimeout(this.#containersSoon);
    await this.settled();
  }

  /**
   * Removes all that gam put into the kernel and the engine, as far as it can. Errors: the first failure.
   */
  async remove(): Promise<void> {
    await this.close();
    const failures: unknown[] = [];
    for (const work of [
      () => this.#forward.remove(),
      () => this.#fast.remove(),
      () => this.#filter.remove(),
      () => this.#filter6.remove(),
      () => this.#tunnels.remove(),
      () => this.#networks.reconcile([]),
      () => this.#networks.prune([]),
      () => this.#links.remove(),
      () => this.#keys.remove(),
    ]) {
      try {
        await work();
      } catch (thrown) {
        rethrowInvariant(thrown);
        failures.push(thrown);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** A node that has never had a network needs no kernel watch: only its packet filter is audited. */
  #begin({ networks }: NodePlan): void {
    this.#every ??= setInterval(() => void this.#auditInTurn(), auditEveryMs).unref();
    if (this.#watches || networks.length === 0) return;
    this.#watches = true;
    this.#watch.start();
  }

  async #auditInTurn(): Promise<void> {
    if (this.#watches) return await this.audit();
    this.#lookAtFilter = true;
    await this.#filterLane.ask();
  }

  /** Something of gam's changed in the kernel. */
  #heard(): void {
    if (this.#closing.signal.aborted) return;
    const busy = this.#lanes.some((lane) => lane.busy);
    const delayMs = this.#clock.heard({ nowMs: performance.now(), busy });
    if (delayMs === undefined) return;
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => void this.audit(), delayMs).unref();
  }

  /** A container's port came to a bridge: updates the port, then reads the containers. */
  #heardPort(): void {
    if (this.#closing.signal.aborted) return;
    this.#awaitContainers(containerMs);
    if (this.#portSoon !== undefined) return;
    this.#portSoon = setTimeout(() => {
      this.#portSoon = undefined;
      this.#links.doubt();
      void this.#kernelLane.ask();
      void this.#confineNew();
    }, portMs).unref();
  }

  #awaitContainers([waitMs, ...more]: readonly number[]): void {
    if (waitMs === undefined) return;
    clearTimeout(this.#containersSoon);
    this.#containersSoon = setTimeout(() => {
      void this.#containerLane.ask();
      this.#awaitContainers(more);
    }, waitMs).unref();
  }

  async #confineNew(): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined) return;
    await this.#reports.try("default routes", async () => await this.#confined.meetNew(plan));
  }

  async #engineRound(): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined) return;
    await this.#reports.try("engine networks", async () => {
      // Bridges of a network that left and came back may be there, or not any more.
      let changed = this.#otherNetworks;
      this.#otherNetworks = false;
      try {
        const made = await this.#networks.reconcile(plan.networks.map(({ engine }) => engine));
        changed ||= made;
      } finally {
        // Also when one of many was refused.
        changed = (await this.#links.rescue(plan)) || changed;
        this.#clock.touched(performance.now());
        if (changed) this.#links.doubt();
        // It may have left out a bridge that was being made.
        if (this.#links.isStale) void this.#kernelLane.ask();
      }
    });
  }

  async #kernelRound(): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined) return;
    const look = this.#look;
    const startedMs = performance.now();
    this.#look = false;
    const mended: string[] = [];
    const keep = (found: readonly string[]): void => {
      mended.push(...found);
    };
    await this.#reports.try("links", async () => keep(await this.#links.apply(plan, look)));
    await this.#reports.try("settings", async () => keep(await this.#links.settings(plan, look)));
    await this.#reports.try("tunnels", async () => keep(await this.#applyTunnels(plan, look)));
    await this.#reports.try("firewall", async () => keep(await this.#applyForwarding(plan, look)));
    const endedMs = performance.now();
    this.#clock.touched(endedMs);
    this.#reports.mended(mended);
    const ms = Math.round(endedMs - startedMs);
    if (look) this.#clock.took(ms);
    this.#log("debug", look ? "Audited data plane" : "Applied node plan", { ms });
  }

  /**
   * Waits for no other lane, except for the fast path of a new service: new connections must stop reaching a task
   * that is about to stop. A new task's entries exist already: they were added when it got its node, and it
   * becomes a backend only later.
   */
  async #filterRound(): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined) return;
    const look = this.#lookAtFilter;
    this.#lookAtFilter = false;
    // Load the fast path first: the host must not translate to a new service before its replies are routed back.
    if (!this.#fast.knows(plan)) await this.#fastLane.once();
    await this.#reports.try("packet filter", async () => {
      await this.#filter.write(hostTable(plan));
      if (look && (await this.#filter.check()))
        this.#reports.mended(["table of the packet filter"]);
    });
    await this.#reports.try("IPv6 filter", async () => {
      if (!existsSync(ip6Devices)) return;
      await this.#filter6.write(wallTable6(plan));
      if (look && (await this.#filter6.check()))
        this.#reports.mended(["table of the filter for IPv6"]);
    });
    this.#clock.touched(performance.now());
    void this.#connectionLane.ask();
  }

  /** A lane of its own, because it enters each container. */
  async #fastRound(): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined) return;
    const look = this.#lookAtFast;
    this.#lookAtFast = false;
    await this.#reports.try("fast path", async () => {
      const isMore = await this.#fast.follow(plan);
      this.#onUpstreams?.(this.#fast.upstreams(plan));
      this.#reports.notice("containers", deafNotice(this.#fast.deafTo(plan)));
      if (isMore) void this.#fastLane.ask();
      if (look && (await this.#fast.check())) this.#reports.mended(["table of the fast path"]);
    });
    this.#clock.touched(performance.now());
  }

  /** A lane of its own, because conntrack reads the whole table of connections each time. */
  async #connectionRound(): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined) return;
    await this.#reports.try("connections", async () => await this.#connections.follow(plan));
  }

  async #containerRound(): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined) return;
    await this.#reports.try("containers", async () => {
      const sandboxes = await this.#networks.sandboxes();
      if (this.#fast.meet(sandboxes)) void this.#fastLane.ask();
      await this.#reports.try(
        "default routes",
        async () => await this.#confined.look(sandboxes, plan),
      );
    });
  }

  async #applyForwarding({ networks }: NodePlan, look: boolean): Promise<string[]> {
    const ingress = networks.find((network) => network.ingress)?.bridge;
    const known = this.#forwarding === (ingress ?? "");
    if (known && !look) return [];
    this.#forwarding = undefined;
    const found = await this.#forward.apply(ingress);
    this.#reports.notice("firewall", this.#forward.notice);
    this.#forwarding = ingress ?? "";
    return known ? found : [];
  }

  async #applyTunnels({ tunnels }: NodePlan, look: boolean): Promise<string[]> {
    if (tunnels !== undefined && this.#keys.isNext(tunnels.publicKey)) {
      void this.#turn(tunnels.publicKey);
    }
    return await this.#tunnels.apply(tunnels, look);
  }

  /** The state shows the new key: the others switch to it now, and this node a moment later. */
  async #turn(publicKey: string): Promise<void> {
    if (this.#turning) return;
    this.#turning = true;
    const { signal } = this.#closing;
    await pause(keyMs, signal, { ref: false });
    this.#turning = false;
    if (signal.aborted) return;
    await this.#keys.shown(publicKey);
    this.#log("info", "Switched to new tunnel key", { publicKey });
    void this.#kernelLane.ask();
  }
}

function deafNotice(networks: readonly string[]): string | undefined {
  if (networks.length === 0) return undefined;
  const names = networks.map((name) => `"${name}"`).join(", ");
  return `Some containers on this host cannot resolve the names of network ${names}: they were started in another network, and the engine asks only name servers on the host's loopback for them. Start them in the network, or with --dns and an address that is not the loopback's`;
}
