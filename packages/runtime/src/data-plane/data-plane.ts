/**
 * Data plane: makes this node's kernel and engine be like the plan of the node, and keeps them so.
 *
 *   const plane = new DataPlane({ networks, keys, log });
 *   plane.apply(plan);        // as often as there is a new one; the newest wins
 *   await plane.audit();      // after news of the engine; by itself on events and every 15 s
 *   plane.problems();         // what could not be had, for people
 *   await plane.close();      // everything stays as it is; or plane.remove(), for good
 *
 * Decides in which order things are done and when to look again. What the plan means is decided beside:
 * link-steps.ts (devices, addresses, entries), packet-filter.ts, tunnel-device.ts, forward-rules.ts; how soon
 * after a change an audit follows: audit-clock.ts.
 *
 * Six lanes, so that nothing slow holds up a change of an endpoint. The engine's lane has the networks
 * made and their bridges; the kernel's lane has links, entries and tunnels on what bridges there are;
 * the filter's lane says who is behind a service on the host, the fast lane in containers (fast-path.ts),
 * and the containers' lane asks the engine which there are; the connections' lane ends what is left of
 * others. A lane remembers what it left behind and sends differences to that. An audit reads the kernel instead,
 * tells what was not as it had been left, and sends differences to what it found. A step that fails
 * stops no other, forgets what it left behind, and is tried again at the next plan or audit.
 *
 * Only devices, tables and networks that carry gam's name are ever touched.
 */

import { existsSync } from "node:fs";
import { type NetworkId, rethrowInvariant } from "@gam/core";
import { hostTable, type NodePlan, wallTable6 } from "@gam/network";
import type { NetworkPlan } from "@gam/state";
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
  /** Removes all of gam's other than these. */
  prune(keep: readonly NetworkId[]): Promise<void>;
}

export interface DataPlaneOptions {
  readonly networks: EngineNetworks;
  readonly keys: TunnelKeys;
  readonly log: DataPlaneLog;
  readonly run?: Run;
}

const auditEveryMs = 15_000;
const portMs = 20;
/** The engine tells of a container once its process has started, some time after its link is there. */
const containerMs = [250, 1_000];
/** The others have turned to a new key by then, as far as they are there. */
const keyMs = 500;
/** There where the kernel has IPv6, and it is not switched off. */
const ip6Devices = "/proc/net/if_inet6";

export class DataPlane {
  readonly #networks: EngineNetworks;
  readonly #keys: TunnelKeys;
  readonly #log: DataPlaneLog;
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
  /** What the engine was asked for last, as text. */
  #askedEngine: string | undefined;
  /** The engine has not been asked yet for the networks of the last plan. */
  #otherNetworks = false;
  /** The next round of the kernel's lane is an audit; of the filter's and of the fast lane, too. */
  #look = false;
  #lookAtFilter = false;
  #lookAtFast = false;
  #every: NodeJS.Timeout | undefined;
  #watches = false;
  #soon: NodeJS.Timeout | undefined;
  #portSoon: NodeJS.Timeout | undefined;
  #containersSoon: NodeJS.Timeout | undefined;
  readonly #clock = new AuditClock();
  /** The bridge that the rules of iptables are for, "" for none; `undefined` when that is not known. */
  #forwarding: string | undefined;
  #turning = false;

  constructor({ networks, keys, log, run = runCommand }: DataPlaneOptions) {
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

  /** Returns at once. Of plans that come while one is applied only the last is looked at. */
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

  /** Ends when nothing is left to do for the last plan. */
  async settled(): Promise<void> {
    while (this.#lanes.some(({ busy }) => busy)) {
      for (const lane of this.#lanes) await lane.idle();
    }
  }

  /**
   * Shape: whether no connection is sent by an older plan than the last, neither from the host nor from its
   * containers, once that is known. The plan may be a newer one by then.
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

  /** Compares everything with what it is to be, and mends it. Ends when that is done. */
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

  /** A sentence for each thing that could not be had at the last try. */
  problems(): readonly string[] {
    return this.#reports.problems;
  }

  /** Stops looking. What is in the kernel and in the engine stays and works. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#watch.close();
    clearInterval(this.#every);
    clearTimeout(this.#soon);
    clearTimeout(this.#portSoon);
    clearTimeout(this.#containersSoon);
    await this.settled();
  }

  /** Takes away all that gam put into the kernel and the engine. Errors: the first that stayed. */
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

  /** A node that has never had a network has only its packet filter to look after. */
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

  /** A container has come: its port is looked at, and the container itself. */
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
    this.#log("debug", look ? "Audited the data plane" : "Applied a node plan", { ms });
  }

  /**
   * A task that is about to stop must not be found any more, so this waits for nothing. Entries for a new
   * task's address are there by now: they came when it got its node, and it serves only now.
   */
  async #filterRound(): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined) return;
    const look = this.#lookAtFilter;
    this.#lookAtFilter = false;
    // Whoever the host sends to a new service it must not send past those containers that know it by themselves.
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

  /** By itself, because it enters each container. */
  async #fastRound(): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined) return;
    const look = this.#lookAtFast;
    this.#lookAtFast = false;
    await this.#reports.try("fast path", async () => {
      if (await this.#fast.follow(plan)) void this.#fastLane.ask();
      if (look && (await this.#fast.check())) this.#reports.mended(["table of the fast path"]);
    });
    this.#clock.touched(performance.now());
  }

  /** By itself, because conntrack reads the whole table of connections each time. */
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
    this.#forwarding = ingress ?? "";
    return known ? found : [];
  }

  async #applyTunnels({ tunnels }: NodePlan, look: boolean): Promise<string[]> {
    if (tunnels !== undefined && this.#keys.isNext(tunnels.publicKey)) {
      void this.#turn(tunnels.publicKey);
    }
    return await this.#tunnels.apply(tunnels, look);
  }

  /** The state shows the new key: the others turn to it now, and this node a moment later. */
  async #turn(publicKey: string): Promise<void> {
    if (this.#turning) return;
    this.#turning = true;
    const { signal } = this.#closing;
    await pause(keyMs, signal, { ref: false });
    this.#turning = false;
    if (signal.aborted) return;
    await this.#keys.shown(publicKey);
    this.#log("info", "Turned to a new tunnel key", { publicKey });
    void this.#kernelLane.ask();
  }
}
