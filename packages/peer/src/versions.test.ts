import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message as RaftMessage } from "@gam/consensus";
import { encode, type NodeId, type ProposalId, type ServiceId } from "@gam/core";
import { counterMint, seededRandom, testId } from "@gam/core/testing";
import { type AskedChange, type Change, type Dialect, type Store, spokenDialect } from "@gam/state";
import { aCluster, aNode, aNodeNetwork, aService } from "@gam/state/testing";
import type { Sender } from "./access/authority.ts";
import { Vetting } from "./access/vetting.ts";
import type { Effect } from "./io/effect.ts";
import type { Input } from "./io/input.ts";
import { decodeGossip, decodeMessage, type Message } from "./io/message.ts";
import type { ProposalOutcome } from "./io/proposals.ts";
import { bootstrapJournal, type JournalFile, recoverJournal } from "./journal/journal.ts";
import { Peer } from "./peer.ts";

const [a, b, c] = ["a", "b", "c"].map((name) => testId<NodeId>(name)) as [NodeId, NodeId, NodeId];
const web = testId<ServiceId>("web");
const startMs = Date.UTC(2026, 0, 1);
const manager: Sender = { role: "manager", asOf: 0, hosts: new Set(aNode(a).Gam.addresses) };

/** Two dialects: the second one added rotateTokens. */
const { since } = spokenDialect;
const newer: Dialect = {
  newest: 2,
  since: { ...since, rotateTokens: { ...since.rotateTokens, kind: 2 } },
  inner: {},
};
const older: Dialect = { ...newer, newest: 1 };
const asked = (id: ServiceId): AskedChange => aService(id) as AskedChange;
const rotate: AskedChange = { kind: "rotateTokens", worker: undefined, manager: undefined };

/** Peers on a network without loss, with disks that take no time unless they are held. */
class Mesh {
  readonly peers = new Map<NodeId, Peer>();
  readonly files = new Map<NodeId, JournalFile>();
  readonly held = new Set<NodeId>();
  readonly answers: ProposalOutcome[] = [];
  readonly sent: { readonly by: NodeId; readonly to: NodeId; readonly message: Message }[] = [];
  readonly #mint = counterMint("m");
  #queue: { readonly to: NodeId; readonly input: Input }[] = [];
  #ticks = 0;

  start(id: NodeId, dialect: Dialect, first = false): void {
    const file = this.files.get(id);
    const recovered = first
      ? bootstrapJournal(id)
      : recoverJournal(file ? [file] : [], false, dialect.newest);
    const limits = { votersMax: 5, voteSilenceMs: 300_000, logEntriesMax: 50 };
    const config = { self: id, ...limits, dialect };
    const random = seededRandom(id.charCodeAt(0));
    this.peers.set(id, new Peer({ config, recovered, random, mint: this.#mint }));
    this.#describe(id);
  }

  #describe(id: NodeId): void {
    const { Description: description, Gam } = aNode(id);
    const { addresses, engine } = Gam;
    const said = { description, addresses, engine, network: aNodeNetwork() };
    this.give(id, { kind: "described", said });
  }

  /** Replaces the agent with a newer version. */
  upgrade(id: NodeId): void {
    this.peers.delete(id);
    this.tick(5);
    this.start(id, newer);
    this.tick(150);
  }

  peer(id: NodeId): Peer {
    const peer = this.peers.get(id);
    assert.ok(peer !== undefined, `${id} is on`);
    return peer;
  }

  dump(id: NodeId): Buffer {
    return Buffer.from((this.peer(id).view as Store).dump());
  }

  tick(count: number): void {
    for (let n = 0; n < count; n += 1) {
      this.#ticks += 1;
      for (const id of this.peers.keys()) this.give(id, { kind: "tick", lateTicks: 0 });
    }
  }

  /** The client's answer; "" when the write was applied. */
  propose(at: NodeId, ...changes: AskedChange[]): string {
    this.answers.length = 0;
    this.give(at, { kind: "propose", request: 1, changes });
    const [answer] = this.answers;
    if (answer === undefined) return "no answer";
    return answer.kind === "applied" ? "" : answer.message;
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

  #perform(by: NodeId, effect: Effect): void {
    switch (effect.kind) {
      case "send": {
        const { to, message } = effect;
        this.sent.push({ by, to, message });
        this.#queue.push({ to, input: { kind: "received", from: by, sender: manager, message } });
        return;
      }
      case "proposed":
        if (effect.request === 1) this.answers.push(effect.answer);
        return;
      case "refused":
        assert.fail(`${by} takes ${effect.peer} for a liar: ${effect.reason}`);
        break;
      case "disk": {
        const { step } = effect;
        const old = step.kind === "begin" ? [] : [this.files.get(by)?.bytes ?? new Uint8Array()];
        this.files.set(by, { name: step.file, bytes: Buffer.concat([...old, step.bytes]) });
        if (!this.held.has(by)) this.#queue.push({ to: by, input: { kind: "persisted" } });
        return;
      }
      case "arrange":
        this.#queue.push({ to: by, input: { kind: "arranged", index: effect.index } });
        return;
      default:
        return;
    }
  }
}

/** Peer a leads; the others have joined it. */
function meshOf(dialect: Dialect, ...ids: NodeId[]): Mesh {
  const mesh = new Mesh();
  mesh.start(a, dialect, true);
  mesh.tick(2);
  assert.equal(mesh.propose(a, { kind: "createCluster", cluster: aCluster() }), "");
  for (const id of ids) mesh.propose(a, { kind: "joinNode", node: aNode(id) });
  for (const id of ids) if (id !== a) mesh.start(id, dialect);
  mesh.tick(40);
  return mesh;
}

function same(mesh: Mesh): void {
  for (const id of [b, c])
    assert.ok(mesh.dump(id).equals(mesh.dump(a)), `${id} has the state of a`);
}

test("a change of a later dialect is refused until the last host is upgraded", () => {
  const mesh = meshOf(older, a, b, c);
  assert.match(mesh.propose(a, rotate), /"rotateTokens" is no change/);
  for (const [upgraded, left] of [
    [b, ["a", "c"]],
    [c, ["a"]],
  ] as const) {
    mesh.upgrade(upgraded);
    const message = mesh.propose(upgraded, rotate);
    assert.deepEqual(
      [...message.matchAll(/"host-(\w)0+"/g)].map(([, name]) => name),
      left,
    );
    same(mesh);
  }
  assert.deepEqual(
    mesh
      .peer(b)
      .view.nodes()
      .map(({ Gam }) => Gam.dialect),
    [1, 2, 2],
  );
  mesh.upgrade(a);
  assert.equal(mesh.propose(c, rotate), "");
  assert.equal(mesh.peer(a).view.dialect, 2);
  mesh.tick(10);
  same(mesh);
  for (const id of [a, b, c]) assert.deepEqual(mesh.peer(id).troubles, []);
});

test("a leader that cannot read a proposal refuses it with the reason, and blames no peer", () => {
  const mesh = meshOf(older, a, b, c);
  const { id: life } = mesh.peer(a).lives;
  const propose = (proposal: object): Message["body"][] => {
    const body = { kind: "propose", proposal: { id: testId("asked"), atMs: startMs, ...proposal } };
    const message = { channel: "peer", life, body } as unknown as Message;
    mesh.sent.length = 0;
    mesh.give(a, { kind: "received", from: b, sender: manager, message });
    return mesh.sent.filter(({ by, to }) => by === a && to === b).map((one) => one.message.body);
  };
  const [tooNew] = propose({ dialect: 2, changes: [rotate] });
  assert.match(JSON.stringify(tooNew), /"refused".*needs dialect 2/);
  const [strange] = propose({ changes: [{ kind: "createService", id: web, spec: { Name: "x" } }] });
  assert.match(JSON.stringify(strange), /"refused".*"BAD_REQUEST".*createService|proposal/);
  assert.ok(mesh.peer(a).troubles.some((text) => text.includes("cannot read")));
});

test("what a later version says beside what is known is no reason to hang up", () => {
  const usage = {
    ...{ cpu: 0, memoryBytes: 1, memoryTotalBytes: 2, load: 0, containers: 0, images: [] },
    ...{ diskFreeBytes: 0, atMs: startMs },
  };
  assert.deepEqual(decodeGossip("usage", encode({ ...usage, temperature: 40 })).body, usage);
  const rumour = { sequence: 1, incarnation: 1, health: 0, repeatTicks: 1, opinions: [] };
  assert.deepEqual(decodeGossip("rumour", encode({ ...rumour, mood: "good" })).body, rumour);
  const refused = { kind: "refused", id: testId("asked"), code: "TOO_WARM", message: "no" };
  const { body } = decodeMessage(
    "peer",
    encode({ life: "x", more: 1, body: { ...refused, more: 1 } }),
  );
  assert.deepEqual(body, { ...refused, code: "REFUSED" });
});

test("the asker hears at once what the leader refuses", () => {
  const mesh = meshOf(older, a, b, c);
  const { id: life } = mesh.peer(a).lives;
  mesh.peers.delete(a); // So that the real leader does not answer the question.
  mesh.answers.length = 0;
  mesh.give(b, { kind: "propose", request: 1, changes: [asked(web)] });
  const question = mesh.sent.findLast(({ message }) => message.channel === "peer")?.message.body;
  const { id } = (question as unknown as { proposal: { id: ProposalId } }).proposal;
  const body = { kind: "refused", id, code: "BAD_REQUEST", message: "no such mode" } as const;
  const message: Message = { channel: "peer", life, body };
  mesh.give(b, { kind: "received", from: c, sender: manager, message });
  assert.equal(mesh.answers.length, 0, "only the leader refuses");
  mesh.give(b, { kind: "received", from: a, sender: manager, message });
  assert.equal(mesh.answers[0]?.kind, "refused");
});

/** Peer a follows a leader that the test plays. */
function followerOf(
  dialect: Dialect,
  spoken: number,
): { mesh: Mesh; append: (...changes: readonly Change[]) => void } {
  const mesh = new Mesh();
  mesh.start(a, dialect, true);
  mesh.tick(2);
  const node = aNode(a);
  mesh.propose(a, { kind: "createCluster", cluster: aCluster() });
  mesh.propose(a, { kind: "joinNode", node });
  mesh.propose(a, { kind: "joinNode", node: aNode(b) });
  mesh.peer(a);
  const { raft, lives } = mesh.peer(a);
  const { id: life } = lives;
  const term = raft.term + 1;
  let proposals = 0;
  const hear = (body: RaftMessage): void =>
    mesh.give(a, {
      kind: "received",
      from: b,
      sender: manager,
      message: { channel: "raft", life, body },
    });
  const append = (...changes: readonly Change[]): void => {
    proposals += 1;
    const needed = changes.some(({ kind }) => kind === "rotateTokens") ? { dialect: 2 } : {};
    const data = encode({ id: testId(`x${proposals}`), atMs: startMs, ...needed, changes });
    const { lastIndex, lastTerm } = mesh.peer(a).raft;
    const index = lastIndex + 1;
    const entry = { index, term, kind: "data", data } as const;
    const place = { previousIndex: lastIndex, previousTerm: lastTerm };
    hear({ kind: "append", term, ...place, entries: [entry], commit: index });
  };
  for (const id of [a, b]) {
    const { Description: description, Gam } = aNode(id);
    const { addresses, engine } = Gam;
    const said = { description, addresses, engine, network: aNodeNetwork() };
    append({ kind: "describeNode", id, ...said, dialect: spoken });
  }
  return { mesh, append };
}

test("an entry of a dialect that some member lacks is refused on every peer, and the log goes on", () => {
  const states = [older, newer].map((dialect) => {
    const { mesh, append } = followerOf(dialect, 1);
    append(rotate);
    append(aService(web));
    assert.ok(mesh.peer(a).view.service(web) !== undefined);
    return mesh.dump(a);
  });
  assert.deepEqual(states[0], states[1]);
});

test("nonsense in a dialect that some member does not speak is refused alike by all", () => {
  const dumps = [older, newer].map((dialect) => {
    const { mesh } = followerOf(dialect, 1);
    const store = mesh.peer(a).view as Store;
    const told: string[] = [];
    const vetting = new Vetting(dialect, (key) => told.push(key));
    const nonsense = {
      id: testId("n"),
      atMs: startMs,
      dialect: 2,
      changes: [{ kind: "nonsense" }],
    };
    const entry = {
      index: store.index + 1,
      term: 9,
      kind: "data",
      data: encode(nonsense),
    } as const;
    assert.equal(vetting.barrierAt(store, entry), undefined);
    vetting.apply(store, entry);
    assert.deepEqual(told, dialect === newer ? [`entry ${entry.index}`] : []);
    return store.dump();
  });
  assert.deepEqual(dumps[0], dumps[1]);
});

test("a peer that meets an entry which only others can read takes no part, and says so", () => {
  const { mesh, append } = followerOf(older, 2);
  const before = mesh.dump(a);
  append(rotate);
  append(aService(web));
  assert.deepEqual(mesh.dump(a), before, "neither that entry nor those after it");
  mesh.sent.length = 0;
  mesh.tick(200);
  assert.deepEqual(mesh.sent, [], "it neither votes nor stands nor answers");
  const body = { kind: "preVote", term: 99, lastIndex: 99, lastTerm: 98 } as const;
  const message: Message = { channel: "raft", life: mesh.peer(a).lives.id, body };
  mesh.give(a, { kind: "received", from: b, sender: manager, message });
  assert.deepEqual(mesh.sent, []);
  assert.equal(mesh.peer(a).leader, undefined);
  assert.match(mesh.propose(a, asked(web)), /too old to follow the log/);
  const [trouble] = mesh.peer(a).troubles;
  assert.match(trouble ?? "", /takes no part .* needs dialect 2, .* Upgrade gam on this host/);
  mesh.start(a, older);
  mesh.tick(100);
  assert.deepEqual(mesh.dump(a), before, "a restart does not help");
  mesh.start(a, newer);
  mesh.tick(100);
  assert.equal(mesh.peer(a).view.dialect, 2, "a newer gam goes on from there");
});

test("a snapshot of a log that has used a later dialect is not taken, and told", () => {
  const states = [newer, older].map((dialect) => {
    const { mesh } = followerOf(dialect, 2);
    const source = followerOf(newer, 2);
    source.append(rotate);
    const data = source.mesh.dump(a);
    const { raft, lives } = mesh.peer(a);
    const { index } = source.mesh.peer(a).view;
    const term = raft.term + 1;
    const { configuration } = raft;
    const place = { term, index, indexTerm: term, totalBytes: data.length, offset: 0 };
    const body = { kind: "snapshotChunk", ...place, configuration, data } as const;
    const message: Message = { channel: "raft", life: lives.id, body };
    mesh.give(a, { kind: "received", from: b, sender: manager, message });
    return [mesh.peer(a).view.index === index, mesh.peer(a).troubles.join()] as const;
  });
  assert.deepEqual(states[0], [true, ""]);
  assert.equal(states[1]?.[0], false);
  assert.match(states[1]?.[1] ?? "", /has used dialect 2, and this gam reads up to 1/);
});

test("a journal of a later dialect is refused with what to do; an earlier one is taken", () => {
  const mesh = meshOf(older, a, b, c);
  const file = (): JournalFile[] => [mesh.files.get(b) as JournalFile];
  recoverJournal(file(), false, 1);
  mesh.upgrade(b);
  for (const salvage of [false, true]) {
    assert.throws(() => recoverJournal(file(), salvage, 1), {
      code: "NOT_SUPPORTED",
      message: /newer gam has written it \(it spoke dialect 2.*\)\. Start the newer version again/,
    });
  }
  assert.ok(recoverJournal(file(), false, 2).journal.speaks(2));
});

test("a peer reports a dialect only after its disk has it", () => {
  const mesh = meshOf(older, a, b, c);
  mesh.peers.delete(b);
  mesh.held.add(b);
  mesh.start(b, newer);
  mesh.tick(100);
  assert.equal(mesh.peer(a).view.node(b)?.Gam.dialect, 1);
  mesh.held.delete(b);
  mesh.give(b, { kind: "persisted" });
  mesh.tick(100);
  assert.equal(mesh.peer(a).view.node(b)?.Gam.dialect, 2);
});

test("a leader plans nothing that some member cannot read", () => {
  const planning = (newest: number): Dialect => {
    return { ...newer, newest, since: { ...since, createTask: { ...since.createTask, kind: 2 } } };
  };
  const mesh = meshOf(planning(2), a);
  mesh.propose(a, { kind: "joinNode", node: aNode(b) });
  mesh.start(b, planning(1));
  mesh.tick(40);
  assert.equal(mesh.propose(a, asked(web)), "");
  mesh.tick(40);
  assert.deepEqual(mesh.peer(a).view.tasksOf(web), []);
  assert.ok(mesh.peer(a).troubles.some((text) => text.includes("too old to read this change")));
  mesh.peers.delete(b);
  mesh.start(b, planning(2));
  mesh.tick(400);
  assert.ok(mesh.peer(a).view.tasksOf(web).length > 0);
});
