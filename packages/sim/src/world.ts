/**
 * World: hosts, the network between them and their clients, in virtual time.
 *
 * One seed gives one history. Checkers see every effect.
 */
import { assert, type NetworkId, type NodeId, type Random } from "@gam/core";
import { counterMint, seededRandom, testId, testKey } from "@gam/core/testing";
import {
  decodeGossip,
  decodeMessage,
  type Effect,
  encodeGossip,
  encodeMessage,
  type ProposalOutcome,
  type Sender,
} from "@gam/peer";
import {
  type AskedChange,
  type ClusterSpec,
  clusterSpecDefault,
  type Dialect,
  dataPathDefault,
  hostOf,
  type NewNode,
  type NodeRole,
  newIngressNetwork,
  spokenDialect,
  type View,
} from "@gam/state";
import { aSealingKey } from "@gam/state/testing";
import { type Acknowledged, Breach, Checkers } from "./checks/checkers.ts";
import { unsettled } from "./checks/unsettled.ts";
import { Agenda } from "./hosts/agenda.ts";
import type { Planted } from "./hosts/faults.ts";
import { describe, meshAddress, SimHost } from "./hosts/host.ts";
import { SimNetwork } from "./hosts/network.ts";
import { type Releases, releasesOf } from "./releases.ts";
import type { Fact, Teller } from "./story/teller.ts";

/** Histories whose seed is a multiple of this send real bytes, to test the codecs too. */
const codecEvery = 16;
/** One in this many histories has no networks. */
const bareEvery = 4;
/** One in this many histories has secrets and configs. */
const secretsEvery = 3;
/** In one of this many histories all jobs have a schedule. */
const scheduledEvery = 5;
/** In one of this many histories all hosts that join are workers. */
const workersEvery = 5;
/** Prefix length of subnets: small enough that a leaked address is noticed, large enough for all requests. */
const subnetSize = 26;
const dialMs = 500;
/** Largest error of a host's clock, either way. */
const skewMsMax = 2000;
/** How long a leaving host waits for other voters, and how often it checks. */
const handOverMsMax = 15_000;
const handOverLookMs = 200;
/** A manager that has been well for this long answers, has caught up, and is counted. */
const answersAfterMs = 2_000;

/** An open request of a client. */
interface Asked {
  readonly host: SimHost;
  /** The host's life: a request to an agent that ended is never answered. */
  readonly life: number;
  readonly write?: Omit<Acknowledged, "index"> | undefined;
  /** Reads only: the highest index acknowledged to any client before the read. */
  readonly behind?: number;
  readonly then?: ((answer: ProposalOutcome) => void) | undefined;
}

export class World {
  readonly agenda = new Agenda();
  readonly random: Random;
  readonly network: SimNetwork;
  readonly checkers = new Checkers();
  /** Services have networks and published ports. */
  readonly networked: boolean;
  /** Services have secrets and configs, and hosts sometimes do not get them. */
  readonly secretive: boolean;
  readonly scheduled: boolean;
  /** Role of hosts that join later. */
  readonly joinsAs: NodeRole;
  /** Present if hosts are upgraded. */
  readonly releases: Releases | undefined;
  readonly #codec: boolean;
  readonly #teller: Teller | undefined;
  readonly #planted: Planted;
  readonly #mint = counterMint("m");
  readonly #asked = new Map<number, Asked>();
  readonly #hosts: SimHost[] = [];
  /** Hosts that have been managers, and then workers. */
  readonly #demoted = new Set<NodeId>();
  #hostsMade = 0;
  #requests = 0;
  readonly #counts = new Map<string, number>();
  /** When a host was last unwell, or first seen in its current life. */
  readonly #unwell = new Map<SimHost, { life: number; atMs: number }>();

  /** `teller` gets a fact for all that happens; without a teller no fact is made. */
  constructor(seed: number, hostCount: number, planted: Planted = {}, teller?: Teller) {
    assert(seed > 0, "seed must be positive");
    this.random = seededRandom(seed * 2654435761);
    this.networked = seed % bareEvery !== 3;
    this.secretive = seed % secretsEvery === 1;
    this.scheduled = seed % scheduledEvery === 3;
    this.joinsAs = seed % workersEvery === 2 ? "worker" : "manager";
    this.releases = releasesOf(seed, planted.unnamedChange);
    this.#codec = seed % codecEvery === 0;
    this.#teller = teller;
    this.#planted = planted;
    this.network = new SimNetwork(this.random);
    for (let made = 0; made < hostCount; made += 1) this.#hosts.push(this.#newHost());
  }

  /** For peers that start from now on. */
  votersMax = 5;

  /** Hosts that are members, on or off. */
  get hosts(): readonly SimHost[] {
    return this.#hosts;
  }

  #newHost(): SimHost {
    this.#hostsMade += 1;
    const host = new SimHost({
      id: `host${String(this.#hostsMade).padStart(21, "0")}` as NodeId,
      agenda: this.agenda,
      random: this.random,
      mint: this.#mint,
      planted: this.#planted,
      dialect: this.#dialectOfNext(),
      votersMax: () => this.votersMax,
      outside: (host, effect) => this.#outside(host, effect),
    });
    this.adjustClock(host);
    return host;
  }

  /** The next number of `what`, from 1, for unique names. */
  count(what: string): number {
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    return count;
  }

  /** Hosts that join later may have either release. */
  #dialectOfNext(): Dialect {
    const { releases } = this;
    if (releases === undefined) return spokenDialect;
    const isLater = this.agenda.nowMs > 0 && this.random.below(2) === 0;
    return isLater ? releases.next : releases.last;
  }

  adjustClock(host: SimHost): void {
    host.skewMs = this.random.below(2 * skewMsMax + 1) - skewMsMax;
  }

  /** All hosts up, in one cluster, with everybody's node ready. */
  form(): void {
    this.#dial();
    const [first, ...others] = this.hosts;
    assert(first !== undefined, "a world has a host");
    first.start(true);
    this.run(200);
    const token = { PublicKey: testKey("token"), Sealed: {} };
    const cluster = {
      ID: testId("cluster"),
      Spec: clusterSpecDefault as ClusterSpec,
      Tokens: { Worker: token, Manager: token },
      RootPublicKey: testKey("root"),
      SealingKeys: [aSealingKey("key")],
      ...dataPathDefault,
      SubnetSize: subnetSize,
    };
    this.ask(first, [{ kind: "createCluster", cluster }]);
    const ingress = newIngressNetwork(testId<NetworkId>("ingress"));
    if (this.networked) this.ask(first, [{ kind: "createNetwork", network: ingress }]);
    for (const host of this.hosts) this.ask(first, [{ kind: "joinNode", node: newNode(host) }]);
    for (const host of others) this.#letIn(host, first);
    this.until("the cluster has formed", 30_000);
  }

  ask(
    host: SimHost,
    changes: readonly AskedChange[],
    write?: Omit<Acknowledged, "index">,
    then?: (answer: ProposalOutcome) => void,
  ): void {
    this.#requests += 1;
    this.#asked.set(this.#requests, { host, life: host.life, write, then });
    if (write !== undefined) this.checkers.asked(write.kind, write.service);
    const request = this.#requests;
    this.#tell(() => ({ kind: "asked", request, host: host.id, changes }));
    host.give({ kind: "propose", request, changes });
  }

  /** A client asks for a state with everything acknowledged before. */
  read(host: SimHost): void {
    this.#requests += 1;
    const behind = this.checkers.acknowledgedIndex;
    this.#asked.set(this.#requests, { host, life: host.life, behind });
    host.give({ kind: "read", request: this.#requests });
  }

  /** Adds a host: `by` lets it in, and then it starts. */
  join(by: SimHost, role: NodeRole = "manager"): SimHost {
    const host = this.#newHost();
    this.#hosts.push(host);
    this.note(() => `${host.id} asks ${by.id} to join`);
    this.ask(by, [{ kind: "joinNode", node: newNode(host, role) }], undefined, (answer) => {
      if (answer.kind === "applied") this.#letIn(host, by);
    });
    return host;
  }

  /** Gives the host a certificate, from the host that let it in, and starts it. */
  #letIn(host: SimHost, { peer }: SimHost): void {
    const view = peer?.view;
    const role = view?.node(host.id)?.Spec.Role ?? "manager";
    host.certificate = { role, asOf: view?.index ?? 0 };
    host.start();
  }

  /** Makes a host leave, as an agent does: first another manager takes over its vote, then its node is removed. */
  leave(host: SimHost): void {
    const node = host.peer?.view.node(host.id);
    if (node === undefined) return;
    this.note(() => `${host.id} leaves`);
    const spec = { ...node.Spec, Role: "worker", Availability: "drain" } as const;
    const basedOn = node.Version.Index;
    const { life } = host;
    this.ask(host, [{ kind: "updateNode", id: host.id, spec, basedOn }], undefined, (answer) => {
      if (answer.kind === "applied") this.#removeWhenVotersAreOthers(host, life, handOverMsMax);
    });
  }

  #removeWhenVotersAreOthers(host: SimHost, life: number, leftMs: number): void {
    if (host.peer === undefined || host.life !== life || leftMs <= 0) return;
    const { voters, votersOutgoing } = host.peer.raft.configuration;
    if (voters.includes(host.id) || votersOutgoing.includes(host.id)) {
      return this.agenda.in(handOverLookMs, () => {
        this.#removeWhenVotersAreOthers(host, life, leftMs - handOverLookMs);
      });
    }
    this.ask(host, [{ kind: "removeNode", id: host.id }], undefined, (answer) => {
      if (answer.kind === "applied") this.#end(host);
    });
  }

  /** Ends a host that was removed and has learned it. */
  #end(host: SimHost): void {
    this.agenda.in(0, () => {
      const at = this.#hosts.indexOf(host);
      if (at < 0) return;
      this.note(() => `${host.id} is not a member any more`);
      this.#hosts.splice(at, 1);
      host.end();
    });
  }

  /** Whether `from` reaches `to`, and `to` knows that `from` was removed. */
  #isTurnedAway(from: SimHost, to: SimHost): boolean {
    if (from.peer === undefined || to.peer === undefined || from.frozen || to.frozen) return false;
    if (!to.peer.view.isRemoved(from.id)) return false;
    return this.network.fate(from.id, to.id, this.agenda.nowMs).length > 0;
  }

  /** Agents dial unreachable peers about twice a second. */
  #dial(): void {
    this.#lookAfter();
    for (const from of [...this.#hosts]) {
      for (const to of this.#hosts) {
        if (this.#isTurnedAway(from, to)) this.#end(from);
        if (!to.refuses || this.network.fate(from.id, to.id, this.agenda.nowMs).length === 0)
          continue;
        from.give({ kind: "refused", peer: to.id });
      }
    }
    this.agenda.in(dialMs, () => this.#dial());
  }

  #lookAfter(): void {
    const atMs = this.agenda.nowMs;
    for (const host of this.#hosts) {
      const isWell = host.isWell && this.network.isWell;
      if (!isWell || this.#unwell.get(host)?.life !== host.life) {
        this.#unwell.set(host, { life: host.life, atMs });
      }
    }
  }

  /** Number of managers in this host's state that have been well for long enough. */
  #managersAnswering({ peer }: SimHost): number {
    const beforeMs = this.agenda.nowMs - answersAfterMs;
    return this.#hosts.filter((host) => {
      const { life, atMs } = this.#unwell.get(host) ?? { life: -1, atMs: 0 };
      const isManager = peer?.view.node(host.id)?.Spec.Role === "manager";
      return isManager && host.isWell && host.life === life && atMs <= beforeMs;
    }).length;
  }

  run(ms: number): void {
    this.agenda.runUntil(this.agenda.nowMs + ms);
  }

  /**
   * Runs until the cluster is settled, and calls `look` meanwhile. Returns the virtual milliseconds that
   * took.
   */
  until(what: string, withinMs: number, look?: () => void): number {
    const beganMs = this.agenda.nowMs;
    for (;;) {
      look?.();
      const missing = unsettled(this.hosts, this.checkers);
      const tookMs = this.agenda.nowMs - beganMs;
      if (missing === undefined) return tookMs;
      if (tookMs >= withinMs) throw new Breach(`timeout after ${withinMs} ms: ${what}; ${missing}`);
      this.run(100);
    }
  }

  /** Removes hosts whose request to join was never answered. */
  dropStrangers(answerMsMax: number): void {
    if (this.hosts.every(({ life }) => life > 0) && this.#ghosts().length === 0) return;
    this.run(answerMsMax);
    for (const host of [...this.#hosts]) {
      if (host.life > 0) continue;
      this.note(() => `${host.id} never joined`);
      this.#hosts.splice(this.#hosts.indexOf(host), 1);
    }
  }

  /** Asks for the removal of nodes without a host. */
  removeGhosts(): void {
    const [by] = this.#hosts;
    assert(by !== undefined, "one host always stays");
    for (const id of this.#ghosts()) this.ask(by, [{ kind: "removeNode", id }]);
  }

  /** Nodes without a host. */
  #ghosts(): NodeId[] {
    const nodes = this.newest().nodes();
    return nodes.map(({ ID }) => ID).filter((id) => !this.#hosts.some((host) => host.id === id));
  }

  /** The newest copy of the state. */
  newest(): View {
    const views = this.hosts.flatMap(({ peer }) => (peer === undefined ? [] : [peer.view]));
    const [view] = views.sort((a, b) => b.index - a.index);
    assert(view !== undefined, "some host is on");
    return view;
  }

  /** Adds a mishap to the story. Ids in the text become names. */
  note(text: () => string): void {
    this.#tell(() => ({ kind: "mishap", text: text() }));
  }

  #tell(fact: () => Fact): void {
    this.#teller?.take(this.agenda.nowMs, fact());
  }

  #outside(host: SimHost, effect: Effect): void {
    const { peer } = host;
    if (peer !== undefined && peer.raft.role === "leader") {
      this.checkers.leads(peer.lives.id, peer.raft.term, host.id);
    }
    switch (effect.kind) {
      case "send":
        return this.#send(host, effect);
      case "gossip":
        for (const to of this.hosts) if (to !== host) this.#gossip(host, to, effect);
        return;
      case "happened":
        this.#tell(() => {
          const { index, events, snapshot = false } = effect;
          return { kind: "applied", host: host.id, index, events, snapshot };
        });
        for (const event of effect.events) {
          if (event.table !== "node" || event.before?.Spec.Role !== "manager") continue;
          if (event.after?.Spec.Role === "worker") this.#demoted.add(event.after.ID);
        }
        if (effect.snapshot) return;
        return this.checkers.happened(host, effect.index, effect.events, this.hosts);
      case "engine":
        return this.checkers.acts(host, effect.action, this.hosts);
      case "proposed":
      case "read":
        return this.#answered(host, effect);
      case "members":
        return this.checkers.connects(host.id, effect.members);
      case "removed":
        return this.#end(host);
      case "refused":
        return this.#refused(host, effect);
      case "note":
        this.checkers.told(host.id, effect);
        return this.#tell(() => {
          const text = `${effect.text} ${fieldsOf(effect.fields)}`.trimEnd();
          return { kind: "noted", host: host.id, text };
        });
      default:
        return;
    }
  }

  /** Checks a refusal. Peers here ask only for what they may, but a message of a manager may arrive after its demotion. */
  #refused(
    { id, peer: own }: SimHost,
    { peer, reason }: Extract<Effect, { kind: "refused" }>,
  ): void {
    this.#tell(() => ({ kind: "noted", host: id, text: `Refused ${peer}: ${reason}` }));
    // A worker may tell a leader that was cut off about a later term.
    if (reason.includes("of a later term") || this.#demoted.has(peer)) return;
    // A removed peer behaves as before until it learns of its removal.
    if (own?.view.isRemoved(peer)) return;
    // A promoted peer may be a candidate before it has a manager's certificate.
    const shown = this.#hosts.find((host) => host.id === peer)?.certificate.role;
    if (shown === "worker" && this.newest().node(peer)?.Spec.Role === "manager") return;
    throw new Breach(`${id} refused ${peer}: ${reason}`);
  }

  #send(host: SimHost, effect: Extract<Effect, { kind: "send" }>): void {
    const to = this.hosts.find(({ id }) => id === effect.to);
    if (to === undefined || host.peer?.view.isRemoved(to.id)) return;
    const { channel } = effect.message;
    const sender: Sender = { ...host.certificate, hosts: new Set([hostOf(meshAddress(host.id))]) };
    const bytes = this.#codec ? encodeMessage(effect.message) : undefined;
    for (const delayMs of this.network.fate(host.id, to.id, this.agenda.nowMs)) {
      this.agenda.in(delayMs, () => {
        if (to.peer?.view.isRemoved(host.id)) return;
        const message = bytes === undefined ? effect.message : decodeMessage(channel, bytes);
        to.give({ kind: "received", from: host.id, sender, message });
      });
    }
  }

  #gossip(host: SimHost, to: SimHost, effect: Extract<Effect, { kind: "gossip" }>): void {
    const { topic } = effect.gossip;
    const bytes = this.#codec ? encodeGossip(effect.gossip) : undefined;
    for (const delayMs of this.network.fate(host.id, to.id, this.agenda.nowMs)) {
      this.agenda.in(delayMs, () => {
        if (to.peer?.view.isRemoved(host.id)) return;
        const gossip = bytes === undefined ? effect.gossip : decodeGossip(topic, bytes);
        to.give({ kind: "gossiped", from: host.id, gossip });
      });
    }
  }

  #answered(host: SimHost, effect: Extract<Effect, { kind: "proposed" | "read" }>): void {
    const asked = this.#asked.get(effect.request);
    this.#asked.delete(effect.request);
    if (asked === undefined) throw new Breach(`request ${effect.request} is answered twice`);
    if (effect.kind === "read") {
      const index = host.peer?.view.index ?? 0;
      if (!effect.fresh || index >= (asked.behind ?? 0)) return;
      throw new Breach(`${host.id} calls ${index} fresh, and ${asked.behind} was acknowledged`);
    }
    const { answer } = effect;
    const { request } = effect;
    this.#tell(() => ({ kind: "answered", request, host: asked.host.id, answer }));
    if (answer.kind === "applied") {
      this.checkers.applied(answer.index, asked.write);
      const answering = this.network.isWell ? this.#managersAnswering(host) : 0;
      this.checkers.secondDisk(answer.index, answering, this.hosts);
    }
    asked.then?.(answer);
  }

  /** Number of open requests to agents that have not ended since. */
  get unanswered(): number {
    let count = 0;
    for (const { host, life } of this.#asked.values()) {
      if (host.peer !== undefined && host.life === life) count += 1;
    }
    return count;
  }
}

/** `voters=host1,host2 term=3`; empty lists are left out. */
function fieldsOf(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .filter(([, value]) => !Array.isArray(value) || value.length > 0)
    .map(([name, value]) => {
      const isPlain = typeof value === "string" || Array.isArray(value);
      return `${name}=${isPlain ? String(value) : JSON.stringify(value)}`;
    })
    .join(" ");
}

function newNode({ id, dialect }: SimHost, role: NodeRole = "manager"): NewNode {
  const zone = `z${Number(id.slice("host".length)) % 2}`;
  return {
    ID: id,
    Spec: { Labels: { zone }, Role: role, Availability: "active" },
    Description: describe(id),
    Status: { State: "unknown", Addr: hostOf(meshAddress(id)) },
    Gam: {
      addresses: [meshAddress(id)],
      engine: { ready: true, reason: "" },
      engineLostAtMs: 0,
      dialect: dialect.newest,
    },
  };
}
