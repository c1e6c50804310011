/**
 * Poisoned mesh: three peers with engines, on a network and disks without delay. Their messages serve as
 * patterns for bad ones.
 */
import { assert, type Mint, type NodeId, type Random } from "@gam/core";
import { counterMint, seededRandom, testId, testKey } from "@gam/core/testing";
import { containerTable, hostTable, type NodePlan, planNode, wholeTable } from "@gam/network";
import {
  bootstrapJournal,
  decodeGossip,
  decodeMessage,
  type Effect,
  encodeGossip,
  encodeMessage,
  type Input,
  type JournalFile,
  type Message,
  Peer,
  recoverJournal,
  type Sender,
} from "@gam/peer";
import {
  type Change,
  clusterSpecDefault,
  dataPathDefault,
  newIngressNetwork,
  type Store,
  type View,
} from "@gam/state";
import { aSealingKey } from "@gam/state/testing";
import { SimEngine } from "@gam/worker/testing";
import { Breach } from "../checks/breach.ts";
import { type Surroundings, someNode, someSpec } from "./some-change.ts";

export const members: readonly NodeId[] = ["a", "b", "c"].map((name) => testId<NodeId>(name));
const startMs = Date.UTC(2026, 0, 1);
/** How many messages of the peers are kept. */
const heardMax = 200;
/** The sender of every message here: all peers are managers. */
export const manager: Sender = { role: "manager", asOf: 0, hosts: new Set() };
export const voteSilenceMs = 300_000;
const token = { PublicKey: testKey("token"), Sealed: {} };
/** Few, so that snapshots are made. */
const logEntriesMax = 60;

export class PoisonedMesh {
  readonly random: Random;
  readonly mint: Mint = counterMint("m");
  readonly peers = new Map<NodeId, Peer>();
  /** Recent messages. */
  readonly heard: { readonly from: NodeId; readonly to: NodeId; readonly message: Message }[] = [];
  readonly warnings: string[] = [];
  readonly #files = new Map<NodeId, JournalFile>();
  readonly #engines = new Map<NodeId, SimEngine>();
  #queue: { readonly to: NodeId; readonly input: Input }[] = [];
  #ticks = 0;
  #requests = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    for (const id of members) this.#start(id);
    const [first] = members as [NodeId];
    this.tick(3);
    this.propose(first, [
      {
        kind: "createCluster",
        cluster: {
          ID: testId("cluster"),
          Spec: clusterSpecDefault,
          Tokens: { Worker: token, Manager: token },
          RootPublicKey: testKey("root"),
          SealingKeys: [aSealingKey("key")],
          ...dataPathDefault,
          SubnetSize: 26,
        },
      },
    ]);
    this.propose(first, [{ kind: "createNetwork", network: newIngressNetwork(testId("ingress")) }]);
    this.tend();
    this.tick(30);
  }

  get nowMs(): number {
    return startMs + 50 * this.#ticks;
  }

  get view(): View {
    const views = [...this.peers.values()].map(({ view }) => view);
    return views.sort((a, b) => b.index - a.index)[0] as View;
  }

  get around(): Surroundings {
    const { random, view, nowMs } = this;
    return { random, view, nodes: members, id: () => this.mint.id(), nowMs };
  }

  get leader(): NodeId | undefined {
    return [...this.peers.values()].find(({ raft }) => raft.role === "leader")?.self;
  }

  /** The life that messages to this peer about its log must name. */
  lifeOf(id: NodeId): string {
    return this.peers.get(id)?.lives.id ?? "";
  }

  fileOf(id: NodeId): JournalFile {
    const file = this.#files.get(id);
    assert(file !== undefined, "a peer has written something");
    return file;
  }

  /** Restores what every mesh has, so that inputs have objects to damage. */
  tend(): void {
    const by = this.leader ?? (members[0] as NodeId);
    for (const [at, id] of members.entries()) {
      const node = this.view.node(id);
      const wanted = someNode(id, at + 1);
      if (node === undefined) this.propose(by, [{ kind: "joinNode", node: wanted }]);
      const { Role, Availability } = node?.Spec ?? wanted.Spec;
      if (node !== undefined && (Role !== "manager" || Availability !== "active")) {
        const basedOn = node.Version.Index;
        this.propose(by, [{ kind: "updateNode", id, spec: wanted.Spec, basedOn }]);
      }
      this.give(id, {
        kind: "described",
        said: {
          description: wanted.Description,
          addresses: wanted.Gam.addresses,
          engine: { ready: true, reason: "" },
          network: wanted.Gam.network as never,
        },
      });
    }
    for (const { ID } of this.view.services().slice(6)) {
      this.propose(by, [{ kind: "removeService", id: ID }]);
    }
    for (const { ID } of this.view.nodes().slice(6)) {
      if (!members.includes(ID)) this.propose(by, [{ kind: "removeNode", id: ID }]);
    }
    const spare = this.view.networks().filter(({ Ingress }) => !Ingress);
    for (const { Id } of spare.slice(4)) this.propose(by, [{ kind: "removeNetwork", id: Id }]);
    if (spare.length === 0) {
      const id = this.mint.id();
      const body = {
        ...newIngressNetwork(id as never),
        Name: id,
        Ingress: false,
        Attachable: true,
      };
      this.propose(by, [{ kind: "createNetwork", network: body }]);
    }
    if (this.view.services().length < 2) {
      const id = this.mint.id();
      const spec = { ...someSpec(this.around, id), Mode: { Replicated: { Replicas: 2 } } };
      this.propose(by, [{ kind: "createService", id: id as never, spec }]);
    }
  }

  /** Removes what would restart without end. */
  calm(): void {
    const by = this.leader ?? (members[0] as NodeId);
    for (const { ID, Spec } of this.view.services()) {
      if (Spec.TaskTemplate.ContainerSpec.Image !== "app:2") {
        this.propose(by, [{ kind: "removeService", id: ID }]);
      }
    }
  }

  propose(at: NodeId, changes: readonly Change[]): void {
    this.#requests += 1;
    // A mutant may be anything, even a change that only leaders ask for.
    this.give(at, { kind: "propose", request: this.#requests, changes: changes as never });
  }

  tick(count: number): void {
    for (let n = 0; n < count; n += 1) {
      this.#ticks += 1;
      for (const id of members) {
        for (const input of this.#engines.get(id)?.tick() ?? []) {
          this.give(id, { kind: "worker", input });
        }
        this.give(id, { kind: "tick", lateTicks: 0 });
      }
    }
  }

  give(to: NodeId, input: Input): void {
    this.#queue.push({ to, input });
    if (this.#queue.length > 1) return; // The running call handles the queue.
    for (let at = 0; at < this.#queue.length; at += 1) {
      const next = this.#queue[at] as { to: NodeId; input: Input };
      const effects = this.peers.get(next.to)?.step(next.input, this.nowMs) ?? [];
      for (const effect of effects) this.#perform(next.to, effect);
      if (at > 200_000) throw new Breach("the peers send messages without end");
    }
    this.#queue = [];
  }

  #start(id: NodeId): void {
    const first = id === members[0];
    const recovered = first ? bootstrapJournal(id) : recoverJournal([]);
    const config = { self: id, votersMax: 3, voteSilenceMs, logEntriesMax };
    const seed = 7 + members.indexOf(id);
    const parts = { config, recovered, random: seededRandom(seed), mint: this.mint };
    this.peers.set(id, new Peer(parts));
    const engine = new SimEngine({
      images: ["app:1", "app:2", "app:flaky"],
      programs: { "app:flaky": { exitTicks: 20, exitCode: 1 }, "app:2": { healthyTicks: 4 } },
    });
    engine.attach();
    this.#engines.set(id, engine);
  }

  #perform(by: NodeId, effect: Effect): void {
    switch (effect.kind) {
      case "send": {
        const { to, message } = effect;
        // Others must accept an honest peer's messages, whatever it has received.
        if (message.channel !== "raft" || this.heard.length % 8 === 0) {
          decodeMessage(message.channel, encodeMessage(message));
        }
        this.heard.push({ from: by, to, message });
        if (this.heard.length > heardMax) this.heard.splice(0, heardMax / 4);
        this.#queue.push({ to, input: { kind: "received", from: by, sender: manager, message } });
        return;
      }
      case "gossip":
        decodeGossip(effect.gossip.topic, encodeGossip(effect.gossip));
        for (const to of members) {
          if (to === by) continue;
          this.#queue.push({ to, input: { kind: "gossiped", from: by, gossip: effect.gossip } });
        }
        return;
      case "disk": {
        const { step } = effect;
        const old = step.kind === "begin" ? [] : [this.#files.get(by)?.bytes ?? new Uint8Array()];
        this.#files.set(by, { name: step.file, bytes: Buffer.concat([...old, step.bytes]) });
        this.#queue.push({ to: by, input: { kind: "persisted" } });
        return;
      }
      case "engine":
        return this.#engines.get(by)?.perform(effect.action);
      case "arrange":
        write(effect.plan);
        this.#queue.push({ to: by, input: { kind: "arranged", index: effect.index } });
        return;
      case "note":
        if (effect.level === "warn") {
          this.warnings.push(`${effect.text} ${JSON.stringify(effect.fields)}`);
        }
        return;
      default:
    }
  }

  /** Checks that all members have the same state, byte for byte. Removed peers get no news. */
  agree(): void {
    const peers = [...this.peers.values()].filter(({ self }) => this.view.node(self) !== undefined);
    const members = peers.map(({ self }) => self);
    const dumps = peers.map(({ view }) => (view as Store).dump());
    const [first, ...others] = dumps;
    for (const [at, other] of others.entries()) {
      if (Buffer.compare(first as Uint8Array, other) === 0) continue;
      throw new Breach(`${members[at + 1]} and ${members[0]} have different states`);
    }
  }
}

/** Writes all text that a host would load. */
function write(plan: NodePlan): number {
  const networks = plan.networks.map(({ id }) => id);
  return wholeTable(hostTable(plan)).length + wholeTable(containerTable(plan, networks)).length;
}

/** Plans each host from a state, as the hosts would. */
export function arrangeAll(view: View): void {
  for (const { ID } of view.nodes()) {
    const plan = planNode(view, ID);
    if (plan !== undefined) write(plan);
  }
}
