import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ProposalId, ServiceId } from "@gam/core";
import { counterMint, seededRandom, testId, testKey } from "@gam/core/testing";
import { type AskedChange, type Change, clusterSpecDefault, dataPathDefault } from "@gam/state";
import { aNode, aNodeNetwork, aSealingKey, aService, aTask, aToken } from "@gam/state/testing";
import type { Sender } from "./access/authority.ts";
import type { Effect } from "./io/effect.ts";
import type { Input } from "./io/input.ts";
import { bootstrapJournal, type JournalFile, recoverJournal } from "./journal/journal.ts";
import { Peer } from "./peer.ts";

const [a, b, c] = ["a", "b", "c"].map((name) => testId<NodeId>(name)) as [NodeId, NodeId, NodeId];
const [web, old] = ["web", "old"].map((name) => testId<ServiceId>(name)) as [ServiceId, ServiceId];
const startMs = Date.UTC(2026, 0, 1);
const manager: Sender = { role: "manager", asOf: 0, hosts: new Set(["10.0.0.1"]) };

type Kind<K extends Effect["kind"]> = Extract<Effect, { kind: K }>;

/** Peers on a network without loss, with disks that take no time unless they are held. */
class Mesh {
  readonly peers = new Map<NodeId, Peer>();
  readonly told: { readonly by: NodeId; readonly effect: Effect }[] = [];
  readonly files = new Map<NodeId, JournalFile>();
  readonly held = new Set<NodeId>();
  readonly #mint = counterMint("m");
  #queue: { readonly to: NodeId; readonly input: Input }[] = [];
  #ticks = 0;
  #requests = 0;

  start(id: NodeId, first = false, logEntriesMax = 8192): void {
    const file = this.files.get(id);
    const recovered = first ? bootstrapJournal(id) : recoverJournal(file ? [file] : []);
    const config = { self: id, votersMax: 5, voteSilenceMs: 300_000, logEntriesMax };
    const random = seededRandom(id.charCodeAt(0));
    this.peers.set(id, new Peer({ config, recovered, random, mint: this.#mint }));
  }

  stop(id: NodeId): void {
    this.peers.delete(id);
  }

  peer(id: NodeId): Peer {
    const peer = this.peers.get(id);
    assert.ok(peer !== undefined, `${id} is on`);
    return peer;
  }

  tick(count: number): void {
    for (let n = 0; n < count; n += 1) {
      this.#ticks += 1;
      for (const id of this.peers.keys()) this.give(id, { kind: "tick", lateTicks: 0 });
    }
  }

  give(to: NodeId, input: Input): void {
    this.#queue.push({ to, input });
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const peer = this.peers.get(next.to);
      for (const effect of peer?.step(next.input, startMs + 50 * this.#ticks) ?? []) {
        this.#perform(next.to, effect);
      }
    }
  }

  /** The client's answer, if there is one. */
  propose(at: NodeId, ...changes: AskedChange[]): Kind<"proposed">["answer"] | undefined {
    this.#requests += 1;
    const request = this.#requests;
    this.give(at, { kind: "propose", request, changes });
    return this.of("proposed").find(({ effect }) => effect.request === request)?.effect.answer;
  }

  read(at: NodeId): boolean | undefined {
    this.#requests += 1;
    const request = this.#requests;
    this.give(at, { kind: "read", request });
    return this.of("read").find(({ effect }) => effect.request === request)?.effect.fresh;
  }

  of<K extends Effect["kind"]>(kind: K): { readonly by: NodeId; readonly effect: Kind<K> }[] {
    return this.told.filter(
      (one): one is { readonly by: NodeId; readonly effect: Kind<K> } => one.effect.kind === kind,
    );
  }

  #perform(by: NodeId, effect: Effect): void {
    switch (effect.kind) {
      case "send":
        this.#queue.push({
          to: effect.to,
          input: { kind: "received", from: by, sender: manager, message: effect.message },
        });
        return;
      case "gossip":
        for (const to of this.peers.keys()) {
          if (to === by) continue;
          this.#queue.push({ to, input: { kind: "gossiped", from: by, gossip: effect.gossip } });
        }
        return;
      case "disk": {
        const { step } = effect;
        const old = step.kind === "begin" ? [] : [this.files.get(by)?.bytes ?? new Uint8Array()];
        this.files.set(by, { name: step.file, bytes: Buffer.concat([...old, step.bytes]) });
        if (!this.held.has(by)) this.#queue.push({ to: by, input: { kind: "persisted" } });
        return;
      }
      default:
        this.told.push({ by, effect });
    }
  }
}

/** Peer a leads; the others have joined it. Workers are idle: no host has an engine. */
function meshOf(...ids: NodeId[]): Mesh {
  const mesh = new Mesh();
  const [first = a] = ids;
  mesh.start(first, true);
  mesh.tick(2);
  const cluster = {
    ID: testId("cluster"),
    Spec: clusterSpecDefault,
    Tokens: { Worker: aToken("w"), Manager: aToken("m") },
    RootPublicKey: testKey("root"),
    SealingKeys: [aSealingKey("key")],
    ...dataPathDefault,
  };
  assert.equal(mesh.propose(first, { kind: "createCluster", cluster })?.kind, "applied");
  for (const id of ids) mesh.propose(first, { kind: "joinNode", node: aNode(id) });
  for (const id of ids) if (id !== first) mesh.start(id);
  mesh.tick(20);
  return mesh;
}

test("Peer answers a write when the disk has it, and a read when its copy has every write", () => {
  const mesh = meshOf(a);
  mesh.held.add(a);
  assert.equal(mesh.propose(a, aServiceAsked("web")), undefined);
  assert.equal(mesh.peer(a).view.service(web), undefined);
  mesh.held.delete(a);
  mesh.give(a, { kind: "persisted" });
  assert.equal(mesh.of("proposed").at(-1)?.effect.answer.kind, "applied");
  assert.equal(mesh.read(a), true);
});

test("Peer waits for a leader before it answers from an old copy, but not for ever", () => {
  const mesh = new Mesh();
  mesh.start(b);
  mesh.tick(1);
  assert.equal(mesh.read(b), undefined, "one may be elected");
  mesh.tick(39);
  assert.deepEqual(mesh.of("read"), []);
  mesh.tick(1);
  assert.deepEqual(
    mesh.of("read").map(({ effect }) => effect.fresh),
    [false],
  );
  mesh.tick(60);
  assert.equal(mesh.read(b), false, "after 5 s without one there is nothing to wait for");
});

test("Peer does not let a client wait for a leader that has been missing for long", () => {
  const mesh = new Mesh();
  mesh.start(b);
  mesh.tick(99);
  assert.equal(mesh.propose(b, aServiceAsked("web")), undefined, "one may be elected");
  mesh.tick(1);
  const message = "this host has had no leader for 5 s";
  assert.deepEqual(mesh.propose(b, aServiceAsked("db")), { kind: "lost", message });
  assert.equal(mesh.of("proposed").length, 1, "the earlier write still waits");
});

test("Peer asks the next leader what the last one did not answer", () => {
  const mesh = meshOf(a, b, c);
  mesh.stop(a);
  const before = mesh.of("read").length;
  assert.equal(mesh.read(b), undefined);
  mesh.tick(80);
  assert.equal(mesh.of("read").length, before + 1, "answered once");
  assert.equal(mesh.read(b), true, "the new leader answers");
});

test("Peer takes proposals of others, but no plans and no reports about what is not theirs", () => {
  const mesh = meshOf(a, b, c);
  mesh.propose(b, aServiceAsked("web"));
  const { view } = mesh.peer(a);
  assert.ok(view.service(web) !== undefined);
  const [task] = view.tasksOf(web);
  assert.ok(task?.NodeID !== undefined);
  const status = { ...task.Status, State: "failed" as const };
  const stranger = [a, b, c].find((id) => id !== task.NodeID && id !== a) ?? b;
  const forged: Change[] = [
    { kind: "createTask", task: aTask(web, testId("evil")) },
    { kind: "judgeNode", id: c, status: { State: "down" } },
    { kind: "reportTask", id: task.ID, status },
    { ...description(a), id: a },
  ];
  for (const change of forged) {
    const proposal = { id: testId<ProposalId>(`forged${change.kind}`), atMs: 0, changes: [change] };
    const { id: life } = mesh.peer(a).lives;
    const message = { channel: "peer", life, body: { kind: "propose", proposal } } as const;
    mesh.give(a, { kind: "received", from: stranger, sender: manager, message });
  }
  assert.equal(view.task(testId("evil")), undefined);
  assert.notEqual(view.node(c)?.Status.State, "down");
  assert.notEqual(view.task(task.ID)?.Status.State, "failed");
  const refused = mesh.of("refused").map(({ effect }) => [effect.peer, effect.reason]);
  assert.deepEqual(refused, [
    [stranger, "createTask is for the leader alone"],
    [stranger, "judgeNode is for the leader alone"],
    [stranger, `reportTask is about task ${task.ID}, which is not its own`],
    [stranger, "describeNode is about another node"],
  ]);
});

test("Peer refuses at once what does not fit into a log entry", () => {
  const mesh = meshOf(a);
  const label = "x".repeat(3 * 1024 * 1024);
  const answer = mesh.propose(a, {
    ...aServiceAsked("web"),
    spec: { ...aService(web).spec, Labels: { label } },
  });
  assert.equal(answer?.kind, "refused");
});

test("Peer that leads makes as many tasks as an entry can hold, however large they are", () => {
  const mesh = meshOf(a);
  const Env = Array.from({ length: 200 }, (_, n) => `VARIABLE_${n}=${"x".repeat(60)}`);
  const template = { ContainerSpec: { Image: "tiny:1", Env } };
  const { spec, ...rest } = aService(web, { replicas: 1500, template });
  mesh.propose(a, { ...rest, spec });
  mesh.tick(20);
  assert.equal(mesh.peer(a).view.tasksOf(web).length, 1500);
});

test("Peer continues from its journal, with a snapshot and without", () => {
  for (const logEntriesMax of [8192, 3]) {
    const mesh = new Mesh();
    mesh.start(a, true, logEntriesMax);
    mesh.tick(2);
    mesh.propose(a, { kind: "joinNode", node: aNode(a) });
    for (const name of ["web", "db", "cache"]) mesh.propose(a, aServiceAsked(name));
    mesh.tick(20);
    const before = mesh.peer(a).view;
    const names = before.services().map(({ Spec }) => Spec.Name);
    mesh.stop(a);
    mesh.told.length = 0;
    mesh.start(a, false, logEntriesMax);
    mesh.tick(20);
    const { view } = mesh.peer(a);
    assert.deepEqual(
      view.services().map(({ Spec }) => Spec.Name),
      names,
    );
    assert.deepEqual(view.tasks(), before.tasks());
    assert.deepEqual(
      mesh
        .of("members")
        .at(-1)
        ?.effect.members.map(({ id }) => id),
      [a],
    );
    assert.equal(mesh.read(a), true);
  }
});

test("Peer that was away for long reports what the snapshot changed", () => {
  const mesh = new Mesh();
  mesh.start(a, true, 3);
  mesh.tick(2);
  for (const id of [a, b]) mesh.propose(a, { kind: "joinNode", node: aNode(id) });
  mesh.propose(a, aServiceAsked(old));
  mesh.start(b, false, 3);
  mesh.tick(20);
  mesh.stop(b);
  // Until then nothing is committed without that peer.
  mesh.tick(40);
  mesh.propose(a, { kind: "removeService", id: old });
  for (let n = 0; n < 10; n += 1) {
    mesh.propose(a, aServiceAsked(`new${n}`));
    mesh.tick(1);
  }
  mesh.told.length = 0;
  mesh.start(b, false, 3);
  mesh.tick(20);
  const installs = mesh.of("happened").filter(({ by, effect }) => by === b && effect.snapshot);
  assert.equal(installs.length, 1);
  const services = (installs[0]?.effect.events ?? [])
    .filter(({ table }) => table === "service")
    .map(({ before, after }) => [before, after].map((row) => row !== undefined));
  assert.deepEqual(services, [[true, false], ...Array.from({ length: 10 }, () => [false, true])]);
  assert.equal(mesh.read(b), true);
});

test("Peer that leads is removed only after another got a vote, even if it voted alone", () => {
  const mesh = meshOf(a, b);
  assert.deepEqual(mesh.peer(a).raft.configuration.voters, [a]);
  mesh.propose(b, { kind: "removeNode", id: a });
  mesh.tick(20);
  assert.deepEqual(mesh.peer(b).raft.configuration.voters, [b]);
  assert.equal(mesh.peer(b).leader, b);
  assert.equal(mesh.peer(b).view.node(a), undefined);
  assert.deepEqual(
    mesh.of("removed").map(({ by }) => by),
    [a],
  );
  assert.equal(mesh.propose(b, aServiceAsked("web"))?.kind, "applied");
});

test("Peer gives no vote to a member that joined and never arrived", () => {
  const mesh = meshOf(a);
  for (const id of [b, c]) mesh.propose(a, { kind: "joinNode", node: aNode(id) });
  mesh.tick(100);
  assert.deepEqual(mesh.peer(a).raft.configuration.voters, [a]);
  assert.equal(mesh.propose(a, aServiceAsked("web"))?.kind, "applied");
});

test("Peer that resigns hands leadership over, and no write is lost", () => {
  const mesh = meshOf(a, b, c);
  mesh.tick(20);
  mesh.give(a, { kind: "resign" });
  mesh.propose(c, aServiceAsked("web"));
  mesh.tick(20);
  assert.notEqual(mesh.peer(a).leader, a);
  assert.equal(mesh.of("proposed").at(-1)?.effect.answer.kind, "applied");
});

test("Peer without a vote also notices that there is no leader any more", () => {
  const mesh = meshOf(a, b);
  assert.equal(mesh.peer(b).leader, a);
  mesh.stop(a);
  mesh.tick(41);
  assert.equal(mesh.peer(b).leader, undefined);
  mesh.start(a);
  mesh.tick(20);
  assert.equal(mesh.peer(b).leader, a);
});

test("Peer keeps the usage of members only", () => {
  const mesh = meshOf(a, b);
  const body = {
    cpu: 0.5,
    memoryBytes: 1,
    memoryTotalBytes: 2,
    load: 0,
    containers: 0,
    images: [],
    diskFreeBytes: 1,
    atMs: startMs,
  };
  for (const from of [b, c]) {
    mesh.give(a, { kind: "gossiped", from, gossip: { topic: "usage", body } });
  }
  assert.deepEqual([...mesh.peer(a).usage.keys()], [b]);
  mesh.propose(a, { kind: "removeNode", id: b });
  mesh.tick(20);
  assert.deepEqual([...mesh.peer(a).usage.keys()], []);
});

function aServiceAsked(name: string): Extract<AskedChange, { kind: "createService" }> {
  return aService(testId(name)) as Extract<AskedChange, { kind: "createService" }>;
}

function description(id: NodeId): Extract<Change, { kind: "describeNode" }> {
  const { Description, Gam } = aNode(id);
  const { engine } = Gam;
  const network = aNodeNetwork();
  return { kind: "describeNode", id, description: Description, addresses: [], engine, network };
}
