import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, entryBytesMax, type Message as RaftMessage, termMax } from "@gam/consensus";
import { decode, encode, GamError, type NodeId, type ServiceId } from "@gam/core";
import { counterMint, seededRandom, testId, testKey } from "@gam/core/testing";
import type { Change, Store } from "@gam/state";
import { aCluster, aNetwork, aNode, aNodeNetwork, aService, aTask } from "@gam/state/testing";
import type { Sender } from "./access/authority.ts";
import type { Effect } from "./io/effect.ts";
import { decodeMessage, type Message } from "./io/message.ts";
import { bootstrapJournal, type JournalFile, recoverJournal } from "./journal/journal.ts";
import { writeRecord } from "./journal/record.ts";
import { Peer } from "./peer.ts";

const [a, b, web, net, task, key] = ["a", "b", "web", "net", "task", "key"].map((name) =>
  testId(name),
) as [NodeId, NodeId, ServiceId, string, string, string];
const nowMs = Date.UTC(2026, 0, 1);
/** Each id is minted once, even by a peer that has restarted. */
const mint = counterMint("m");
/** A member that joined after everything in this state. */
const manager: Sender = { role: "manager", asOf: Number.MAX_SAFE_INTEGER, hosts: new Set() };

/** The only voter of its cluster, on a disk that takes no time. */
class Host {
  readonly notes: string[] = [];
  readonly sent: Message[] = [];
  readonly answers: Extract<Effect, { kind: "proposed" }>["answer"][] = [];
  file: JournalFile | undefined;
  peer: Peer;

  constructor(file?: JournalFile) {
    this.file = file;
    this.peer = this.#start();
  }

  #start(): Peer {
    const recovered = this.file === undefined ? bootstrapJournal(a) : recoverJournal([this.file]);
    const config = { self: a, votersMax: 5, voteSilenceMs: 300_000, logEntriesMax: 1000 };
    return new Peer({ config, recovered, random: seededRandom(1), mint });
  }

  restart(): void {
    this.notes.length = 0;
    this.peer = this.#start();
  }

  tick(count: number): void {
    for (let n = 0; n < count; n += 1) this.give({ kind: "tick", lateTicks: 0 });
  }

  propose(...changes: readonly Change[]): string | undefined {
    this.answers.length = 0;
    this.give({ kind: "propose", request: 1, changes: changes as never });
    return this.answers[0]?.kind;
  }

  give(input: Parameters<Peer["step"]>[0]): void {
    const waiting = [input];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      for (const effect of this.peer.step(next, nowMs)) {
        if (effect.kind === "note") this.notes.push(effect.text);
        if (effect.kind === "send") this.sent.push(effect.message);
        if (effect.kind === "proposed") this.answers.push(effect.answer);
        if (effect.kind === "arrange") waiting.push({ kind: "arranged", index: effect.index });
        if (effect.kind !== "disk") continue;
        const { step } = effect;
        const old = step.kind === "begin" ? [] : [this.file?.bytes ?? new Uint8Array()];
        this.file = { name: step.file, bytes: Buffer.concat([...old, step.bytes]) };
        waiting.push({ kind: "persisted" });
      }
    }
  }

  get dump(): Buffer {
    return Buffer.from((this.peer.view as Store).dump());
  }

  /** The dump without the index, which counts refused entries as well. */
  get state(): unknown {
    const dump = decode(this.dump) as Record<string, unknown>;
    return { ...dump, index: 0, outcomes: [] };
  }
}

function lead(): Host {
  const host = new Host();
  host.tick(3);
  const node = aNode(a);
  assert.equal(host.propose({ kind: "createCluster", cluster: aCluster() }), "applied");
  assert.equal(host.propose({ kind: "joinNode", node }), "applied");
  host.propose(aService(web), {
    kind: "createNetwork",
    network: aNetwork("net", { Id: net as never }),
  });
  host.tick(20);
  assert.deepEqual(host.peer.troubles, []);
  return host;
}

/** The host's disk, with entries that did not enter its log through its checks. */
function poisoned({ file, peer }: Host, ...data: readonly Uint8Array[]): JournalFile {
  assert.ok(file !== undefined);
  const { lastIndex, term } = peer.raft;
  const entries = data.map((one, n): Entry => {
    return { index: lastIndex + 1 + n, term, kind: "data", data: one };
  });
  const hardState = { term, votedFor: a, commit: lastIndex + data.length };
  const records = recordsIn(file.bytes);
  const record = writeRecord(records + 1, recordOf({ hardState, entries }));
  return { name: file.name, bytes: Buffer.concat([file.bytes, record]) };
}

/** The host after its log got these entries from elsewhere. Does not check who may make the changes. */
function written(host: Host, ...changes: readonly Change[]): Host {
  const after = new Host(poisoned(host, encode({ id: mint.id(), atMs: nowMs, changes })));
  after.tick(60);
  return after;
}

function tryMessage(frame: Uint8Array): Message | undefined {
  try {
    return decodeMessage("peer", frame);
  } catch (thrown) {
    assert.ok(thrown instanceof GamError && thrown.code === "BAD_FRAME");
    return undefined;
  }
}

/** One write, as a journal stores it. */
function recordOf(...writes: readonly object[]): Uint8Array {
  return encode({ version: 1, dialect: 1, writes });
}

function recordsIn(bytes: Uint8Array): number {
  let records = 0;
  for (let from = 0; from < bytes.length; records += 1) {
    from += 16 + new DataView(bytes.buffer, bytes.byteOffset + from).getUint32(12);
  }
  return records;
}

const proposal = (...changes: readonly object[]): object => ({
  id: testId("bad"),
  atMs: nowMs,
  changes,
});
const { Options: _, ...optionless } = aNetwork("n2", { Id: testId("n2") });
const node = aNode(a);
const strange = { ...aNode(b), Gam: { ...aNode(b).Gam, network: { mtu: 1500 } } };
const subnet = aNetwork("n3", {
  Id: testId("n3"),
  IPAM: { Driver: "default", Options: null, Config: [{ Subnet: "10.77.0.0/24" }] },
});
const { spec } = aService(web);
const targetless = {
  ...spec,
  TaskTemplate: { ...spec.TaskTemplate, Networks: [{ Aliases: ["x"] }] },
};
const update = { kind: "updateService", id: web, registryAuth: "", basedOn: 4 };
const report = { kind: "reportTask", id: task };
const joining = { kind: "joinNode", node };
const create = (change: object): object => ({
  kind: "createTask",
  task: { ...aTask(web, task), ...change },
});
const nested = (depth: number): object => (depth === 0 ? {} : { in: nested(depth - 1) });

const cases: readonly (readonly [name: string, ...proposals: readonly (object | Uint8Array)[]])[] =
  [
    [
      "a node with a misshapen network, then a network with a subnet",
      proposal({ kind: "joinNode", node: strange }),
      { ...proposal({ kind: "createNetwork", network: subnet, extra: 1 }), id: "no id" },
    ],
    [
      "a node without a part of the mesh",
      proposal({ kind: "joinNode", node: { ...node, Gam: {} } }),
    ],
    ["a network target without a target", proposal({ ...update, spec: targetless })],
    ["an entry that does not decode", Uint8Array.of(0xc1, 7, 7)],
    ["an entry of no bytes", new Uint8Array()],
    ["an entry that is a number", encode(7)],
    ["a proposal of no time", { ...proposal(joining), atMs: Number.NaN }],
    ["a proposal of a time without a date", { ...proposal(joining), atMs: 9e15 }],
    [
      "a report of a time that is no time",
      proposal({ ...report, status: { Timestamp: "x", State: "running" } }),
    ],
    // Siblings
    ["a change that nobody knows", proposal({ kind: "explode" })],
    ["a change that is nothing", proposal(null as never)],
    ["changes that are a map", { ...proposal(), changes: {} }],
    [
      "a node that is its own prototype",
      proposal({ kind: "joinNode", node: { ...node, ID: "__proto__" } }),
    ],
    [
      "a key that every object has",
      proposal({ kind: "attachContainer", network: net, key: "toString", node: a, name: "x" }),
    ],
    ["a cluster without its pools", proposal({ kind: "createCluster", cluster: { ID: key } })],
    [
      "a service with networks that are a text",
      proposal({ ...update, spec: { ...spec, Networks: "net" } }),
    ],
    [
      "a service that has itself for privileges",
      proposal({
        ...update,
        spec: { ...spec, TaskTemplate: { ContainerSpec: { Image: "a", Privileges: nested(500) } } },
      }),
    ],
    ["a task without extra", proposal(create({ Gam: undefined }))],
    [
      "a task with half an attachment",
      proposal(create({ Gam: { ...aTask(web, task).Gam, attachments: [{}] } })),
    ],
    ["gateways that are a list", proposal({ kind: "setGateways", id: net, gateways: [1] })],
    [
      "a subnet of nothing",
      proposal({ kind: "allocateNetwork", id: net, vni: 5000, config: [{}] }),
    ],
    [
      "an endpoint without its spec",
      proposal({ kind: "setEndpoint", id: web, endpoint: { Ports: 7 } }),
    ],
    [
      "a description without an engine",
      proposal({ kind: "describeNode", id: a, description: node.Description }),
    ],
  ];

for (const [name, ...proposals] of cases) {
  const data = proposals.map((one) => (one instanceof Uint8Array ? one : encode(one)));

  test(`${name}, in a proposal, is refused before it gets into a log`, () => {
    const host = lead();
    const before = host.state;
    const { id: life } = host.peer.lives;
    for (const bytes of data) {
      host.sent.length = 0;
      const proposal = bytes.length === 0 ? null : tryDecode(bytes);
      const frame = encode({ life, body: { kind: "propose", proposal } });
      // A message that is not a proposal at all disconnects its sender; changes that make no sense are
      // answered.
      const message = tryMessage(frame);
      if (message === undefined) continue;
      host.give({ kind: "received", from: b, sender: manager, message });
      host.tick(5);
      assert.ok(host.sent.some(({ body }) => "kind" in body && body.kind === "refused"));
    }
    assert.deepEqual(host.state, before);
  });

  test(`${name}, in a log, ends no peer, now or later`, () => {
    const host = lead();
    const before = host.state;
    const ill = new Host(poisoned(host, ...data));
    for (const life of [1, 2, 3]) {
      ill.tick(20);
      assert.deepEqual(ill.state, before);
      // Once the peer has met the entry, it is no longer in the log: a snapshot has replaced it.
      const isTold = [...ill.peer.troubles, ...ill.notes].some((text) => text.includes("Refused"));
      assert.equal(isTold, life === 1);
      ill.restart();
    }
    ill.tick(20);
    assert.equal(ill.propose(aService(testId("other"))), "applied");
    ill.tick(20);
    assert.ok(ill.peer.view.tasksOf(testId("other")).length > 0, "plans go on");
  });
}

function tryDecode(bytes: Uint8Array): unknown {
  try {
    return decode(bytes);
  } catch {
    return bytes;
  }
}

test("a network without options has none, and plans go on with it", () => {
  const host = lead();
  assert.equal(host.propose({ kind: "createNetwork", network: optionless as never }), "applied");
  host.tick(20);
  assert.equal(host.peer.view.network(testId("n2"))?.Options, null);
  assert.ok((host.peer.view.network(testId("n2"))?.Gam.vni ?? 0) > 0);
  assert.deepEqual(host.peer.troubles, []);
});

test("a network comes with a subnet after a node whose network was misshapen", () => {
  const host = lead();
  assert.equal(host.propose({ kind: "joinNode", node: strange as never }), "refused");
  assert.equal(host.propose({ kind: "createNetwork", network: subnet }), "applied");
});

function hear(host: Host, body: RaftMessage): void {
  host.give({
    kind: "received",
    from: b,
    sender: manager,
    message: { channel: "raft", life: host.peer.lives.id, body },
  });
}

test("one heartbeat of the last term does not prevent a leader, not even after a restart", () => {
  const host = lead();
  hear(host, { kind: "heartbeat", term: termMax, index: 1, indexTerm: 1, round: 1 });
  assert.ok(host.peer.troubles.some((text) => text.includes("far term")));
  for (const name of ["one", "two"]) {
    host.tick(100);
    assert.equal(host.peer.raft.role, "leader");
    assert.equal(host.propose(aService(testId(name))), "applied");
    host.restart();
  }
});

/** A host that follows `b` and receives only what the test gives it. */
function followerOf(): Host {
  const host = lead();
  const file = poisoned(host);
  const follower = new Host(file);
  const { raft } = follower.peer;
  hear(follower, { kind: "heartbeat", term: raft.term + 2, index: 1, indexTerm: 1, round: 1 });
  assert.equal(follower.peer.leader, b);
  return follower;
}

function chunkOf({ peer }: Host, dump: object, index: number): RaftMessage {
  const data = encode(dump);
  const { term, configuration } = peer.raft;
  const place = { term, index, indexTerm: term, totalBytes: data.length, offset: 0 };
  return { kind: "snapshotChunk", ...place, configuration, data };
}

const madeUp: readonly (readonly [
  name: string,
  change: (dump: Record<string, unknown>) => object,
])[] = [
  ["of another schema", (dump) => ({ ...dump, schema: 99 })],
  ["of another place in the log", (dump) => ({ ...dump, index: 5 })],
  ["without tasks", ({ tasks: _, ...rest }) => rest],
  [
    "with a node twice",
    (dump) => ({ ...dump, nodes: [...(dump.nodes as []), ...(dump.nodes as [])] }),
  ],
  ["with a node that is nothing", (dump) => ({ ...dump, nodes: [null] })],
  ["with networks that have no shape", (dump) => ({ ...dump, networks: [{ Id: net, Gam: {} }] })],
  ["with a cluster that is a text", (dump) => ({ ...dump, cluster: "yes" })],
  ["with outcomes that are none", (dump) => ({ ...dump, outcomes: [[key, { kind: "applied" }]] })],
  [
    "with a service of a later time",
    (dump) => ({
      ...dump,
      services: (dump.services as { Gam: object }[]).map((one) => ({
        ...one,
        Gam: { ...one.Gam, templateVersion: 1e9 },
      })),
    }),
  ],
  ["that is a list", () => []],
];
for (const [name, change] of madeUp) {
  test(`a snapshot ${name} is not taken`, () => {
    const host = followerOf();
    const before = host.dump;
    const index = host.peer.raft.lastIndex + 100;
    const dump = { ...(decode(before) as Record<string, unknown>), index };
    hear(host, chunkOf(host, change(dump), index));
    assert.ok(host.dump.equals(before));
    assert.ok(host.peer.troubles.some((text) => text.includes("bad snapshot")));
    hear(host, chunkOf(host, dump, index));
    assert.equal(host.peer.view.index, index, "a good one is");
    host.restart();
    assert.equal(host.peer.view.index, index);
  });
}

test("an own snapshot that holds no state gives an error that says what to do", () => {
  const host = lead();
  const snapshot = {
    index: 3,
    term: 1,
    configuration: { voters: [a], votersOutgoing: [], learners: [], standbys: [] },
    data: encode({ schema: 2, nodes: 5 }),
  };
  const hardState = { term: 1, votedFor: a, commit: 3 };
  const record = writeRecord(1, recordOf({ hardState, entries: [], snapshot }));
  host.file = { name: "journal-0000000001", bytes: record };
  assert.throws(() => host.restart(), { code: "CORRUPT_FILE", message: /gam join TOKEN/ });
});

test("an own snapshot that slightly misses its schema is taken, and reported", () => {
  const host = lead();
  const { commitIndex: index, term } = host.peer.raft;
  const dump = { ...(decode(host.dump) as { services: object[] }), index };
  const services = dump.services.map((one) => ({ ...one, CreatedAt: "long ago" }));
  const configuration = { voters: [a], votersOutgoing: [], learners: [], standbys: [] };
  const snapshot = { index, term, configuration, data: encode({ ...dump, services }) };
  const hardState = { term, votedFor: a, commit: index };
  const bytes = writeRecord(1, recordOf({ hardState, entries: [], snapshot }));
  const ill = new Host({ name: "journal-0000000001", bytes });
  ill.tick(60);
  assert.ok(ill.peer.troubles.some((text) => text.includes("does not fit its schema")));
  assert.equal(ill.propose(aService(testId("other"))), "applied");
});

for (const [name, payload] of [
  ["nothing", null],
  ["a number", 7],
  ["no version", { writes: [] }],
  ["a version that is a text", { version: "1", dialect: 1, writes: [] }],
  ["a term that is a text", { hardState: { term: "1", commit: 0 }, entries: [] }],
  ["entries without numbers", { entries: [{ kind: "data", data: new Uint8Array() }] }],
  [
    "entries that leave a gap",
    { entries: [{ index: 9, term: 1, kind: "noop", data: new Uint8Array() }] },
  ],
] as const) {
  test(`a journal with a record of ${name} is named with what to do`, () => {
    const isWrite = typeof payload === "object" && payload !== null && "entries" in payload;
    const bytes = writeRecord(1, isWrite ? recordOf(payload) : encode(payload));
    assert.throws(() => recoverJournal([{ name: "journal-0000000001", bytes }]), {
      code: "CORRUPT_FILE",
      message: /gam join TOKEN/,
    });
  });
}

test("a service whose task does not fit into a log entry is left alone, and others go on", () => {
  const host = lead();
  const large = aService(testId("large"));
  const Labels = { text: "" };
  const bare = encode({
    id: key,
    atMs: nowMs,
    changes: [{ ...large, spec: { ...large.spec, Labels } }],
  });
  Labels.text = "x".repeat(entryBytesMax - bare.length - 60);
  assert.equal(host.propose({ ...large, spec: { ...large.spec, Labels } }), "applied");
  host.tick(200);
  assert.ok(host.peer.troubles.some((text) => text.includes("does not fit into a log entry")));
  assert.equal(host.propose(aService(testId("small"))), "applied");
  host.tick(20);
  assert.equal(host.peer.view.tasksOf(testId("small")).length, 1);
});

test("a peer that cannot describe itself says so, and leads all the same", () => {
  const host = lead();
  const network = aNodeNetwork({ encryption: "kernel", publicKey: "not a key" });
  const { Description: description, Gam } = node;
  const { addresses, engine } = Gam;
  host.give({ kind: "described", said: { description, addresses, engine, network } });
  host.tick(60);
  assert.ok(host.peer.troubles.some((text) => text.includes("Cannot describe this host")));
  assert.equal(host.propose(aService(testId("other"))), "applied");
});

test("two hosts that have swapped their addresses each get the other's in the end", () => {
  let host = lead();
  const other = aNode(b);
  host.propose({ kind: "joinNode", node: other });
  const describe = (id: NodeId, addresses: readonly string[]): Change => {
    const { Description: description, Gam } = aNode(id);
    return {
      kind: "describeNode",
      id,
      description,
      addresses,
      engine: Gam.engine,
      network: aNodeNetwork(),
    };
  };
  for (const _ of [1, 2]) {
    host = written(host, describe(a, other.Gam.addresses));
    host = written(host, describe(b, node.Gam.addresses));
  }
  const { view } = host.peer;
  assert.deepEqual(view.node(a)?.Gam.addresses, other.Gam.addresses);
  assert.deepEqual(view.node(b)?.Gam.addresses, node.Gam.addresses);
});

test("a key and an address belong to one member; another may take those of a lost one", () => {
  const host = lead();
  const network = aNodeNetwork({ encryption: "kernel", publicKey: testKey("k") });
  const { Description: description, Gam } = node;
  const { addresses, engine } = Gam;
  const said = { description, addresses, engine, network };
  host.propose({ kind: "describeNode", id: a, ...said });
  const thief = aNode(b);
  host.propose({ kind: "joinNode", node: { ...thief, Gam: { ...thief.Gam, network, addresses } } });
  const before = host.peer.view;
  assert.equal(before.node(a)?.Gam.network?.publicKey, testKey("k"));
  assert.deepEqual(before.node(b)?.Gam.addresses, []);
  assert.equal(before.node(b)?.Gam.network?.publicKey, "");
  const down = { kind: "judgeNode", id: a, status: { State: "down" } } as const;
  const { view } = written(host, down, { kind: "describeNode", id: b, ...said }).peer;
  assert.deepEqual(view.node(b)?.Gam.addresses, addresses);
  assert.equal(view.node(b)?.Gam.network?.publicKey, testKey("k"));
  assert.deepEqual(view.node(a)?.Gam.addresses, []);
});

test("a new object never replaces an object of the same id", () => {
  const host = lead();
  const again = { ...aService(web), spec: { ...spec, Name: "another" } };
  assert.equal(host.propose(again), "refused");
  const network = aNetwork("another", { Id: net as never });
  assert.equal(host.propose({ kind: "createNetwork", network }), "refused");
  assert.equal(host.propose(aService(testId("x")), aService(testId("x"))), "refused");
  assert.equal(host.peer.view.service(testId("x")), undefined);
});
