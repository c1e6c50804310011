import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message as RaftMessage } from "@gam/consensus";
import type {
  ConfigId,
  NetworkId,
  NodeId,
  SecretId,
  ServiceId,
  TaskId,
  VolumeName,
} from "@gam/core";
import {
  type Change,
  clusterSpecDefault,
  isPlanned,
  type NodeNetwork,
  type TaskState,
} from "@gam/state";
import {
  aCluster,
  aConfig,
  aNetwork,
  aNode,
  aNodeNetwork,
  aSeal,
  aSecret,
  aService,
  aTask,
  aToken,
  TestLog,
} from "@gam/state/testing";
import { type Asker, refusalOfChanges, refusalOfRaft, roleOf, type Sender } from "./authority.ts";

const [boss, hand, other, gone, late] = ["boss", "hand", "other", "gone", "late"] as NodeId[] as [
  NodeId,
  NodeId,
  NodeId,
  NodeId,
  NodeId,
];
const net = "net" as NetworkId;
const hosts = new Set(["10.0.0.2"]);

/** A manager, two workers with a task and an attachment each, and a member that was removed. */
function aState(): TestLog {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() });
  log.write({ kind: "joinNode", node: aNode(boss) });
  for (const id of [hand, other]) {
    const node = aNode(id, { spec: { Role: "worker" }, address: "10.0.0.2" });
    const network = aNodeNetwork({ publicKey: `key of ${id}` });
    log.write({ kind: "joinNode", node: { ...node, Gam: { ...node.Gam, network } } });
  }
  log.write({ kind: "joinNode", node: aNode(gone) });
  log.write({ kind: "removeNode", id: gone });
  log.write(aService("web", { replicas: 3 }));
  for (const node of [hand, other]) {
    log.write({ kind: "createTask", task: aTask("web", `task of ${node}`, { node }) });
  }
  log.write({ kind: "createTask", task: aTask("web", "waiting") });
  const ready = aTask("web", "ordered", { node: hand, state: "pending" });
  log.write({ kind: "createTask", task: ready });
  log.write({ kind: "createNetwork", network: aNetwork(net, { Attachable: true }) });
  for (const node of [hand, other]) {
    log.write({ kind: "attachContainer", network: net, key: `key of ${node}`, node, name: "c" });
  }
  return log;
}

const log = aState();
const asked = (id: NodeId, sender: Partial<Sender> = {}): Asker => ({
  id,
  sender: { role: id === boss ? "manager" : "worker", asOf: 0, hosts, ...sender },
});

function describe(id: NodeId, network: Partial<NodeNetwork> = {}, address = "10.0.0.2"): Change {
  const { Description: description, Gam } = aNode(id);
  const said = { description, engine: Gam.engine, network: aNodeNetwork(network) };
  return { kind: "describeNode", id, addresses: [`${address}:7946`], ...said };
}

function report(id: string, State: TaskState): Change {
  return { kind: "reportTask", id: id as TaskId, status: { Timestamp: "", State } };
}

const attach = (node: NodeId): Change => ({
  kind: "attachContainer",
  network: net,
  key: "k",
  node,
  name: "c",
});
const data = "data" as VolumeName;
const detach = (key: string): Change => ({ kind: "detachContainer", network: net, key });
const spec = { Labels: {}, Role: "manager", Availability: "active" } as const;
const tokens = { Worker: aToken("w"), Manager: aToken("m") };

const own: readonly Change[] = [
  describe(hand),
  describe(hand, { publicKey: "key of hand" }),
  report("task of hand", "complete"),
  report("task of hand", "failed"),
  report("no such task", "running"),
  attach(hand),
  detach("key of hand"),
  detach("no such key"),
  { kind: "removeNode", id: hand },
  { kind: "removeVolume", id: data, node: hand },
  { kind: "dropVolumeLeftover", id: data, move: "m", node: hand },
  { kind: "endVolumeMove", id: data, move: "no such move", copy: "", digest: "" },
];
const foreign: readonly (readonly [Change, RegExp])[] = [
  [describe(other), /describeNode is about another node/],
  [describe(boss), /describeNode is about another node/],
  [describe(hand, { publicKey: "key of other" }), /has the tunnel key of node other/],
  [describe(hand, {}, "10.0.0.1"), /has the address "10.0.0.1:7946", where it was not found/],
  [describe(hand, {}, "db.lan"), /has the address "db.lan:7946"/],
  [report("task of other", "failed"), /task of other, which is not its own/],
  [report("waiting", "running"), /task waiting, which is not its own/],
  [report("ordered", "running"), /task ordered, which was not assigned yet/],
  [report("task of hand", "orphaned"), /calls task task of hand "orphaned"/],
  [report("task of hand", "remove"), /calls task task of hand "remove"/],
  [attach(other), /attachContainer is about a container of another node/],
  [detach("key of other"), /detachContainer is about a container of another node/],
  [{ kind: "removeNode", id: other }, /removeNode is about another node/],
  [{ kind: "removeNode", id: boss }, /removeNode is about another node/],
  [{ kind: "removeVolume", id: data, node: other }, /removeVolume is about a volume of another/],
];
const managers: readonly Change[] = [
  { kind: "joinNode", node: aNode("new") },
  { kind: "joinNode", node: aNode(gone) },
  { kind: "updateNode", id: hand, spec, basedOn: 1 },
  { kind: "updateCluster", spec: clusterSpecDefault, basedOn: 1 },
  { kind: "rotateTokens", worker: undefined, manager: aToken("x") },
  { kind: "rotateRoot", root: "", next: { PublicKey: "n", Signature: "s" }, tokens, keys: [] },
  { kind: "dropSealingKey", id: "k" },
  aSecret("s"),
  { kind: "updateSecret", id: "s" as SecretId, labels: {}, basedOn: 1 },
  { kind: "removeSecret", id: "s" as SecretId },
  { kind: "resealSecret", id: "s" as SecretId, version: 1, from: "k", to: aSeal("s") },
  aConfig("c"),
  { kind: "updateConfig", id: "c" as ConfigId, labels: {}, basedOn: 1 },
  { kind: "removeConfig", id: "c" as ConfigId },
  {
    kind: "resealCredentials",
    id: "web" as ServiceId,
    which: "spec",
    from: "k",
    to: aSeal("s"),
    basedOn: 1,
  },
  aService("db"),
  {
    kind: "updateService",
    id: "web" as ServiceId,
    spec: aService("web").spec,
    basedOn: 1,
  },
  { kind: "removeService", id: "web" as ServiceId },
  { kind: "createNetwork", network: aNetwork("n2") },
  { kind: "removeNetwork", id: net },
  { kind: "moveVolume", id: data, move: "m", from: hand, to: other },
];

test("a worker speaks for itself, its own tasks and its own containers", () => {
  for (const change of own) {
    const why = refusalOfChanges(log.store, asked(hand), [change]);
    assert.equal(why, undefined, JSON.stringify(change));
  }
});

test("a worker may not speak for another node, or change the cluster", () => {
  for (const [change, want] of foreign) {
    assert.match(refusalOfChanges(log.store, asked(hand), [change]) ?? "", want);
    const [first] = own;
    assert.match(refusalOfChanges(log.store, asked(hand), [first as Change, change]) ?? "", want);
  }
  for (const change of managers) {
    const why = refusalOfChanges(log.store, asked(hand), [change]);
    assert.equal(why, `${change.kind} is for managers`);
    assert.equal(refusalOfChanges(log.store, asked(boss), [change]), undefined);
  }
});

test("no peer creates a second cluster, or proposes a plan to the leader", () => {
  const plans: Change[] = [
    { kind: "judgeNode", id: hand, status: { State: "down" } },
    { kind: "createTask", task: aTask("web", "t") },
    { kind: "setGateways", id: net, gateways: {} },
  ];
  for (const change of plans) {
    assert.ok(isPlanned(change));
    for (const asker of [asked(boss), asked(hand), { id: boss, sender: undefined }]) {
      assert.match(refusalOfChanges(log.store, asker, [change]) ?? "", /is for the leader alone/);
    }
  }
  const found: Change = { kind: "createCluster", cluster: aCluster() };
  for (const asker of [asked(boss), asked(hand)]) {
    assert.match(refusalOfChanges(log.store, asker, [found]) ?? "", /is for the first peer/);
  }
  const blank = new TestLog().store;
  assert.equal(refusalOfChanges(blank, { id: boss, sender: undefined }, [found]), undefined);
});

test("a peer checks its own changes by the same table", () => {
  const worker = { id: hand, sender: undefined };
  assert.equal(refusalOfChanges(log.store, worker, [describe(hand, {}, "10.9.9.9")]), undefined);
  assert.match(refusalOfChanges(log.store, worker, [aService("db")]) ?? "", /is for managers/);
  assert.match(refusalOfChanges(log.store, worker, [attach(other)]) ?? "", /of another node/);
});

test("state and certificate both decide a role, unless the state is older than the certificate", () => {
  const { index } = log.store;
  const cases: readonly (readonly [NodeId, Sender["role"], number, string | undefined])[] = [
    [boss, "manager", 0, "manager"],
    [boss, "worker", 0, "worker"], // Promoted, but has not shown its new certificate yet.
    [hand, "manager", 0, "worker"], // Demoted: its certificate loses its effect at once.
    [hand, "manager", index, "worker"],
    [hand, "manager", index + 1, "manager"], // Promoted after what this state shows.
    [hand, "worker", index + 1, "worker"],
    [late, "manager", index, undefined],
    [late, "manager", index + 1, "manager"], // Joined after what this state shows.
    [gone, "manager", 0, undefined],
    [gone, "manager", index, undefined],
    [gone, "manager", index + 1, "manager"], // Joined again.
  ];
  for (const [id, role, asOf, want] of cases) {
    assert.equal(roleOf(log.store, asked(id, { role, asOf })), want, `${id} ${role} ${asOf}`);
  }
  const blank = new TestLog().store;
  assert.equal(roleOf(blank, asked(late, { role: "manager" })), "manager", "no state yet");
  assert.equal(roleOf(blank, asked(late, { role: "worker" })), "worker");
});

const term = 7;
const ballot = { lastIndex: 1, lastTerm: 1 };
const committed = { index: 1, indexTerm: 1 };
const configuration = { voters: [hand], votersOutgoing: [], learners: [], standbys: [] };
const chunk = { configuration, totalBytes: 0, offset: 0, data: new Uint8Array() };
const leaders: readonly RaftMessage[] = [
  { kind: "preVote", term, ...ballot },
  { kind: "vote", term, ...ballot, transfer: true },
  { kind: "append", term, previousIndex: 0, previousTerm: 0, commit: 0, entries: [] },
  { kind: "commit", term, ...committed },
  { kind: "heartbeat", term, ...committed, round: 1 },
  { kind: "snapshotChunk", term, ...committed, ...chunk },
  { kind: "standNow", term },
  { kind: "readReply", term, id: "r", index: 1 },
];
const answers: readonly RaftMessage[] = [
  { kind: "preVoteReply", term, granted: true },
  { kind: "voteReply", term, granted: true },
  { kind: "appendReply", term, match: 1 },
  { kind: "appendConflict", term, previousIndex: 1, hintIndex: 0, hintTerm: 0 },
  { kind: "heartbeatReply", term, round: 1 },
  { kind: "snapshotReply", term, index: 1, offset: 0 },
  { kind: "readRequest", term, id: "r" },
];

test("only managers send elections, entries and snapshots; every member answers", () => {
  const demoted = asked(hand, { role: "manager" });
  for (const message of leaders) {
    assert.equal(refusalOfRaft(log.store, asked(boss), message, term), undefined);
    for (const asker of [asked(hand), demoted]) {
      const why = refusalOfRaft(log.store, asker, message, term);
      assert.equal(why, `${message.kind} is for managers`);
    }
    assert.equal(refusalOfRaft(log.store, asked(gone), message, term), "it is no member");
  }
  for (const message of answers) {
    for (const asker of [asked(boss), asked(hand), demoted]) {
      assert.equal(refusalOfRaft(log.store, asker, message, term), undefined);
    }
    const later = { ...message, term: 2 ** 52 } as RaftMessage;
    assert.match(
      refusalOfRaft(log.store, asked(hand), later, term) ?? "",
      /of a later term is for managers/,
    );
    assert.equal(refusalOfRaft(log.store, asked(gone), message, term), "it is no member");
  }
});
