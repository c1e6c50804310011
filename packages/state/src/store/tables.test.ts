import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigId, NetworkId, NodeId, SecretId, ServiceId, TaskId } from "@gam/core";
import { type Change, type Rows, tableOf } from "../log/change.ts";
import type { Occasion } from "../log/occasion.ts";
import {
  aCluster,
  aConfig,
  aNetwork,
  aNode,
  aNodeNetwork,
  aRollout,
  aSeal,
  aSealingKey,
  aSecret,
  aService,
  aTask,
  aToken,
  keyId,
  TestLog,
  withFiles,
} from "../testing/index.ts";
import { tables } from "./tables.ts";

const [a, b] = ["a", "b"] as [NodeId, NodeId];
const web = "web" as ServiceId;
const t1 = "t1" as TaskId;
const net = "net" as NetworkId;
const atMs = Date.UTC(2026, 5, 1);
const at = "2026-06-01T00:00:00.000Z";
const index = 1000;

/** A cluster, two nodes, a service with a waiting task, and a network. */
function grown(...more: readonly Change[]): TestLog {
  const log = new TestLog();
  const first: readonly Change[] = [
    { kind: "createCluster", cluster: aCluster() },
    { kind: "joinNode", node: aNode("a") },
    { kind: "joinNode", node: aNode("b", { state: "down" }) },
    aService("web"),
    { kind: "createTask", task: aTask("web", "t1", { slot: 1 }) },
    { kind: "createNetwork", network: aNetwork("net", { Attachable: true }) },
  ];
  for (const change of [...first, ...more]) {
    assert.equal(log.write(change).outcome.kind, "applied", JSON.stringify(change));
  }
  return log;
}

const status = (State: "pending" | "assigned" | "running" | "failed" | "orphaned") =>
  ({ Timestamp: at, State }) as const;
const key = "key";
const attach: Change = { kind: "attachContainer", network: net, key, node: a, name: "shell" };
const assign: Change = { kind: "assignTask", id: t1, node: a, status: status("assigned") };
const next = { PublicKey: "next", Signature: "s" };
const rootKey = aCluster().RootPublicKey;
const token = aToken("t", ["next"]);
const keys = [aSealingKey("key", [rootKey, "next"]), aSealingKey("key2", ["next"])];
const lockedSpec = { ...aCluster().Spec, EncryptionConfig: { AutoLockManagers: true } };
const rotate: Change = {
  kind: "rotateRoot",
  root: rootKey,
  next,
  tokens: { Worker: token, Manager: token },
  keys,
};
const config = [{ Subnet: "10.0.1.0/24", Gateway: "10.0.1.1" }];
const allocate: Change = { kind: "allocateNetwork", id: net, vni: 4097, config };
const describing = (id: NodeId, addresses: readonly string[], root?: string): Change => ({
  kind: "describeNode",
  id,
  description: aNode(id).Description,
  addresses,
  engine: { ready: true, reason: "" },
  network: aNodeNetwork(),
  root,
});
const spec = aService("web", { image: "tiny:2" }).spec;
const update = (basedOn: number): Change => ({
  kind: "updateService",
  id: web,
  spec,
  registryAuth: aSeal("new"),
  basedOn,
});
const keeping = (
  basedOn: number,
  registryAuthFrom: "spec" | "previous-spec" | undefined,
): Change => ({ kind: "updateService", id: web, spec, registryAuthFrom, basedOn });
const progress = (basedOn: number): Change => ({
  kind: "progressUpdate",
  id: web,
  basedOn,
  status: { State: "updating", StartedAt: at, Message: "" },
  waveAtMs: 7,
  updated: ["1"],
});
const labelled = (basedOn: number, Labels: Record<string, string>): Change => {
  return { kind: "updateService", id: web, spec: { ...spec, Labels }, basedOn };
};
const scaling = { "gam.autoscale.max": "3", "gam.autoscale.cpu": "70" };
const autoscaled = (basedOn: number): Change => labelled(basedOn, scaling);
const canary = (basedOn: number): Change => labelled(basedOn, { "gam.rollout": "canary" });
const rolledOut = (basedOn: number): Change => {
  const status = { State: "updating", StartedAt: at, Message: "10 %" } as const;
  const rollout = aRollout({ weight: 10 });
  return { kind: "progressRollout", id: web, basedOn, rollout, status, updated: ["1"] };
};
const scale = (basedOn: number, from: number, to: number): Change => {
  const advice = { now: to, before: [{ replicas: from, untilMs: 7 }] };
  return { kind: "scaleService", id: web, basedOn, from, to, reason: "load", advice };
};
const moving = (basedOn: number): Change => {
  return { kind: "noteRebalance", basedOn, isAsked: true, open: [], past: [] };
};
const rollback = (basedOn: number): Change => {
  return { kind: "rollbackService", id: web, basedOn, message: "it failed" };
};

const pw = "pw" as SecretId;
const conf = "conf" as ConfigId;
const sealed = (version: number) => ({ version, ...aSeal(version === 1 ? "pw" : `pw${version}`) });
const plain = (version: number) => ({ version, data: new TextEncoder().encode(`v${version}`) });
const newContent = (basedOn: number): Change => {
  return { kind: "updateSecret", id: pw, labels: {}, content: sealed(2), basedOn };
};
const withSecret = aService("db", {
  template: { ContainerSpec: withFiles("db:1", { secrets: ["pw"] }) },
});
const taskOf = (version: number): Change => ({
  kind: "createTask",
  task: aTask("db", "t2", { slot: 1, extra: { contents: { pw: version } } }),
});
const resealing = (which: "spec" | "previous-spec", basedOn: number): Change => {
  const to = aSeal("x", "key2");
  return { kind: "resealCredentials", id: web, which, from: keyId("key"), to, basedOn };
};

type Wanted = "void" | "gone" | ((row: never) => unknown);
/** The last column is what the function must return for the row afterwards. */
const cases: readonly (readonly [
  name: string,
  before: readonly Change[],
  change: Change,
  wanted: Wanted,
  is?: unknown,
])[] = [
  // Cluster
  [
    "a cluster is made",
    [],
    { kind: "createCluster", cluster: aCluster() },
    ({ Version, CreatedAt }: Rows["cluster"]) => [Version.Index, CreatedAt],
    [index, at],
  ],
  [
    "its spec is replaced",
    [],
    { kind: "updateCluster", spec: { ...aCluster().Spec, Name: "other" }, basedOn: 1 },
    ({ Spec, Version, UpdatedAt }: Rows["cluster"]) => [Spec.Name, Version.Index, UpdatedAt],
    ["other", index, at],
  ],
  [
    "managers are locked with a new key",
    [],
    { kind: "updateCluster", spec: lockedSpec, basedOn: 1, unlockKey: { [rootKey]: "k1" } },
    ({ Spec, UnlockKey }: Rows["cluster"]) => [Spec.EncryptionConfig, UnlockKey],
    [{ AutoLockManagers: true }, { [rootKey]: "k1" }],
  ],
  [
    "managers that are locked keep their key",
    [{ kind: "updateCluster", spec: lockedSpec, basedOn: 1, unlockKey: { [rootKey]: "k1" } }],
    { kind: "updateCluster", spec: lockedSpec, basedOn: 7 },
    ({ UnlockKey }: Rows["cluster"]) => UnlockKey,
    { [rootKey]: "k1" },
  ],
  [
    "managers that are not locked any more have no key",
    [{ kind: "updateCluster", spec: lockedSpec, basedOn: 1, unlockKey: { [rootKey]: "k1" } }],
    { kind: "updateCluster", spec: aCluster().Spec, basedOn: 7, unlockKey: { [rootKey]: "k2" } },
    ({ UnlockKey }: Rows["cluster"]) => UnlockKey,
    undefined,
  ],
  [
    "a policy is set",
    [],
    { kind: "setPolicy", policy: { privileged: ["shop_*"] }, basedOn: 1 },
    ({ Policy }: Rows["cluster"]) => Policy,
    { privileged: ["shop_*"] },
  ],
  [
    "one token is replaced, and the other one stays",
    [],
    { kind: "rotateTokens", worker: token, manager: undefined },
    ({ Tokens }: Rows["cluster"]) => Tokens,
    { Worker: token, Manager: aCluster().Tokens.Manager },
  ],
  [
    "a root rotation begins",
    [],
    rotate,
    ({ NextRoot, RootPublicKey }: Rows["cluster"]) => [NextRoot, RootPublicKey],
    [next, rootKey],
  ],
  [
    "a root rotation does not end while a node has no certificate of the next key",
    [rotate, describing(a, ["10.0.0.1:1"], "next")],
    { kind: "endRootRotation", publicKey: "next" },
    "void",
  ],
  [
    "a root rotation ends when every node has one",
    [rotate, describing(a, ["10.0.0.1:1"], "next"), describing(b, ["10.0.0.2:1"], "next")],
    { kind: "endRootRotation", publicKey: "next" },
    ({ NextRoot, RootPublicKey }: Rows["cluster"]) => [NextRoot, RootPublicKey],
    [undefined, "next"],
  ],
  // Nodes
  [
    "a node joins",
    [],
    { kind: "joinNode", node: aNode("c") },
    ({ ID, CreatedAt }: Rows["node"]) => [ID, CreatedAt],
    ["c", at],
  ],
  [
    "a node that joins again keeps its spec",
    [],
    { kind: "joinNode", node: aNode("a", { spec: { Role: "worker" } }) },
    ({ Spec }: Rows["node"]) => Spec.Role,
    "manager",
  ],
  [
    "a node joins without the address of a live node",
    [],
    { kind: "joinNode", node: { ...aNode("c"), Gam: { ...aNode("a").Gam } } },
    ({ Gam, Status }: Rows["node"]) => [Gam.addresses, Status.Addr],
    [[], ""],
  ],
  [
    "a node's spec is replaced",
    [],
    { kind: "updateNode", id: a, spec: { ...aNode("a").Spec, Availability: "drain" }, basedOn: 2 },
    ({ Spec, Version }: Rows["node"]) => [Spec.Availability, Version.Index],
    ["drain", index],
  ],
  [
    "a node's report does not move its version",
    [],
    describing(a, ["10.9.9.9:1"]),
    ({ Status, Version, UpdatedAt }: Rows["node"]) => [Status.Addr, Version.Index, UpdatedAt],
    ["10.9.9.9", 2, at],
  ],
  ["a report of a node that was removed", [], describing("gone" as NodeId, []), "gone"],
  [
    "a node that is judged down has no engine from then on",
    [],
    { kind: "judgeNode", id: a, status: { State: "down", Message: "silent" } },
    ({ Status, Gam }: Rows["node"]) => [Status.State, Gam.engine, Gam.engineLostAtMs],
    ["down", { ready: false, reason: "silent" }, atMs],
  ],
  [
    "a tunnel address is given",
    [],
    { kind: "setTunnel", id: a, address: "198.18.0.1" },
    ({ Gam }: Rows["node"]) => Gam.tunnel,
    "198.18.0.1",
  ],
  [
    "a tunnel address that another node has",
    [{ kind: "setTunnel", id: b, address: "198.18.0.1" }],
    { kind: "setTunnel", id: a, address: "198.18.0.1" },
    "void",
  ],
  ["a node is removed", [], { kind: "removeNode", id: a }, "gone"],
  // Services
  [
    "a service is made",
    [],
    aService("two"),
    ({ Gam, Version }: Rows["service"]) => [Gam.templateVersion, Version.Index],
    [index, index],
  ],
  [
    "a service's template is replaced",
    [],
    update(4),
    ({ Spec, PreviousSpec, Gam }: Rows["service"]) => [Spec, PreviousSpec, Gam.templateVersion],
    [spec, aService("web").spec, index],
  ],
  [
    "a service keeps its credentials",
    [update(4)],
    keeping(7, undefined),
    ({ Gam }: Rows["service"]) => [Gam.registryAuth, Gam.registryAuthPrevious],
    [aSeal("new"), aSeal("new")],
  ],
  [
    "a service takes those of its spec before",
    [update(4)],
    keeping(7, "previous-spec"),
    ({ Gam }: Rows["service"]) => [Gam.registryAuth, Gam.registryAuthPrevious],
    [undefined, aSeal("new")],
  ],
  [
    "a client asks for the spec before",
    [update(4)],
    { kind: "updateService", id: web, spec: "previous", basedOn: 7 },
    ({ Spec, PreviousSpec, Gam }: Rows["service"]) => [Spec, PreviousSpec, Gam.registryAuth],
    [aService("web").spec, spec, undefined],
  ],
  ["progress of another version", [], progress(3), "void"],
  [
    "progress is noted, and the version stays",
    [],
    progress(4),
    ({ Gam, Version }: Rows["service"]) => [Gam.waveAtMs, Gam.updated, Version.Index],
    [7, ["1"], 4],
  ],
  ["a rollback with nothing before", [], rollback(4), "void"],
  ["a rollback of another version", [update(4)], rollback(4), "void"],
  [
    "a rollback",
    [update(4)],
    rollback(7),
    ({ Spec, PreviousSpec, UpdateStatus }: Rows["service"]) => {
      return [Spec, PreviousSpec, UpdateStatus?.State];
    },
    [aService("web").spec, undefined, "rollback_started"],
  ],
  [
    "a step of a rollout",
    [canary(4)],
    rolledOut(7),
    ({ Gam }: Rows["service"]) => Gam.rollout?.weight,
    10,
  ],
  ["a step of another version's rollout", [canary(4)], rolledOut(4), "void"],
  [
    "a person's word in a rollout",
    [canary(4)],
    { kind: "steerRollout", id: web, version: 7, action: "pause" },
    ({ UpdateStatus }: Rows["service"]) => UpdateStatus?.State,
    "paused",
  ],
  [
    "a plan for the replicas",
    [autoscaled(4)],
    scale(7, 1, 3),
    ({ Spec, Version }: Rows["service"]) => [Spec.Mode.Replicated?.Replicas, Version.Index],
    [3, 7],
  ],
  [
    "an endpoint is given, with what is asked for now",
    [],
    { kind: "setEndpoint", id: web, endpoint: { Spec: { Mode: "dnsrr" }, VirtualIPs: [] } },
    ({ Endpoint }: Rows["service"]) => Endpoint,
    { Spec: {}, VirtualIPs: [] },
  ],
  ["a service is removed", [], { kind: "removeService", id: web }, "gone"],
  // Tasks
  [
    "a task is made",
    [],
    { kind: "createTask", task: aTask("web", "t2") },
    ({ ID, CreatedAt }: Rows["task"]) => [ID, CreatedAt],
    ["t2", at],
  ],
  [
    "a task that is there is not made again",
    [],
    { kind: "createTask", task: aTask("web", "t1", { slot: 9 }) },
    "void",
  ],
  [
    "a task of a service that was removed",
    [],
    { kind: "createTask", task: aTask("gone", "t2") },
    "gone",
  ],
  [
    "a task gets its node",
    [],
    assign,
    ({ NodeID, Status }: Rows["task"]) => [NodeID, Status.State],
    [a, "assigned"],
  ],
  ["a task does not get a second node", [assign], { ...assign, node: b } as Change, "void"],
  [
    "a task does not get a node that was removed",
    [],
    { ...assign, node: "gone" as NodeId } as Change,
    "void",
  ],
  [
    "a task that is not wanted gets no node",
    [{ kind: "desireTask", id: t1, desired: "shutdown" }],
    assign,
    "void",
  ],
  [
    "a task gets its addresses",
    [],
    { kind: "attachTask", id: t1, attachments: [{ network: net, address: "10.0.1.3" }] },
    ({ Gam }: Rows["task"]) => Gam.attachments,
    [{ network: net, address: "10.0.1.3" }],
  ],
  [
    "a task that was assigned keeps its addresses while somebody wants it",
    [assign],
    { kind: "attachTask", id: t1, attachments: [] },
    "void",
  ],
  [
    "a task that nobody wants loses them when its node is gone",
    [assign, { kind: "desireTask", id: t1, desired: "shutdown" }, { kind: "removeNode", id: a }],
    { kind: "attachTask", id: t1, attachments: [] },
    ({ Gam }: Rows["task"]) => Gam.attachments,
    [],
  ],
  [
    "why it waits is said",
    [],
    { kind: "explainTask", id: t1, status: { ...status("pending"), Err: "no room" } },
    ({ Status }: Rows["task"]) => Status.Err,
    "no room",
  ],
  [
    "why it waited is not said once it has a node",
    [assign],
    { kind: "explainTask", id: t1, status: status("pending") },
    "void",
  ],
  [
    "what is desired grows",
    [],
    { kind: "desireTask", id: t1, desired: "shutdown" },
    ({ DesiredState }: Rows["task"]) => DesiredState,
    "shutdown",
  ],
  ["what is desired does not fall", [], { kind: "desireTask", id: t1, desired: "ready" }, "void"],
  [
    "a report is taken, with the moment from which it ran",
    [assign],
    { kind: "reportTask", id: t1, status: status("running") },
    ({ Status, Gam }: Rows["task"]) => [Status.State, Gam.startedAtMs],
    ["running", atMs],
  ],
  [
    "a report from before is void",
    [assign, { kind: "reportTask", id: t1, status: status("failed") }],
    { kind: "reportTask", id: t1, status: status("running") },
    "void",
  ],
  [
    "a task is given up with its node",
    [assign],
    { kind: "orphanTask", id: t1, status: status("orphaned") },
    ({ Status }: Rows["task"]) => Status.State,
    "orphaned",
  ],
  ["a task is removed", [], { kind: "removeTask", id: t1 }, "gone"],
  // Networks
  [
    "a network is made",
    [],
    { kind: "createNetwork", network: aNetwork("two") },
    ({ Id, Created, Version }: Rows["network"]) => [Id, Created, Version.Index],
    ["two", at, index],
  ],
  [
    "a network gets its subnet",
    [],
    allocate,
    ({ Gam, IPAM }: Rows["network"]) => [Gam.vni, IPAM.Config],
    [4097, config],
  ],
  ["a network keeps its subnet", [allocate], { ...allocate, vni: 4098 } as Change, "void"],
  [
    "bridges get addresses, those of removed nodes none",
    [],
    { kind: "setGateways", id: net, gateways: { a: "10.0.1.2", gone: "10.0.1.3" } },
    ({ Gam }: Rows["network"]) => Gam.gateways,
    { a: "10.0.1.2" },
  ],
  [
    "a container asks for an address",
    [],
    attach,
    ({ Gam }: Rows["network"]) => Gam.attachments,
    { key: { node: a, name: "shell", address: "" } },
  ],
  ["a container asks twice", [attach], attach, "void"],
  [
    "a container gets its address",
    [attach],
    { kind: "setAttachment", id: net, key, address: "10.0.1.9" },
    ({ Gam }: Rows["network"]) => Gam.attachments.key?.address,
    "10.0.1.9",
  ],
  [
    "a container that is gone gets none",
    [],
    { kind: "setAttachment", id: net, key, address: "10.0.1.9" },
    "void",
  ],
  [
    "a container goes",
    [attach],
    { kind: "detachContainer", network: net, key },
    ({ Gam }: Rows["network"]) => Gam.attachments,
    {},
  ],
  [
    "a container is refused",
    [attach],
    { kind: "refuseAttachment", id: net, key },
    ({ Gam }: Rows["network"]) => Gam.attachments,
    {},
  ],
  ["a network is removed", [], { kind: "removeNetwork", id: net }, "gone"],

  // Secret
  [
    "a secret is made",
    [],
    aSecret("pw"),
    ({ Spec, Gam, Version }: Rows["secret"]) => [Spec.Name, Gam, Version.Index],
    ["pw", { contents: [sealed(1)], current: 1, last: 1 }, index],
  ],
  [
    "a secret gets other labels",
    [aSecret("pw")],
    { kind: "updateSecret", id: pw, labels: { a: "b" }, basedOn: 7 },
    ({ Spec, Gam, Version }: Rows["secret"]) => [Spec.Labels, Gam.last, Version.Index],
    [{ a: "b" }, 1, index],
  ],
  [
    "a secret gets other content",
    [aSecret("pw")],
    { kind: "updateSecret", id: pw, labels: {}, content: sealed(2), basedOn: 7 },
    ({ Gam }: Rows["secret"]) => Gam,
    { contents: [sealed(1), sealed(2)], current: 2, last: 2 },
  ],
  ["a secret is removed", [aSecret("pw")], { kind: "removeSecret", id: pw }, "gone"],
  [
    "a secret's idle content is deleted, and the version stays",
    [aSecret("pw"), newContent(7)],
    { kind: "dropSecretContents", id: pw, versions: [1, 2] },
    ({ Gam, Version }: Rows["secret"]) => [Gam, Version.Index],
    [{ contents: [sealed(2)], current: 2, last: 2 }, 8],
  ],
  [
    "a content that a task uses is not deleted",
    [aSecret("pw"), withSecret, taskOf(1), newContent(7)],
    { kind: "dropSecretContents", id: pw, versions: [1] },
    "void",
  ],
  [
    "a content to which a service can return is not deleted",
    [aSecret("pw"), withSecret, newContent(7)],
    { kind: "dropSecretContents", id: pw, versions: [1] },
    "void",
  ],
  [
    "a secret is sealed anew",
    [aSecret("pw"), rotate],
    { kind: "resealSecret", id: pw, version: 1, from: keyId("key"), to: aSeal("x", "key2") },
    ({ Gam, Version }: Rows["secret"]) => [Gam.contents, Version.Index],
    [[{ version: 1, ...aSeal("x", "key2") }], 7],
  ],
  [
    "a secret is sealed with a key that is not the newest",
    [aSecret("pw")],
    { kind: "resealSecret", id: pw, version: 1, from: keyId("key"), to: aSeal("x", "key2") },
    "void",
  ],
  [
    "a content that was replaced is sealed anew",
    [aSecret("pw"), rotate],
    { kind: "resealSecret", id: pw, version: 2, from: keyId("key"), to: aSeal("x", "key2") },
    "void",
  ],
  [
    "credentials are sealed anew, and the version stays",
    [update(4), rotate],
    resealing("spec", 7),
    ({ Gam, Version }: Rows["service"]) => [Gam.registryAuth, Version.Index],
    [aSeal("x", "key2"), 7],
  ],
  [
    "credentials of another version are sealed anew",
    [update(4), rotate],
    resealing("spec", 4),
    "void",
  ],
  [
    "credentials that are not there are sealed anew",
    [rotate],
    resealing("previous-spec", 4),
    "void",
  ],
  [
    "a sealing key that nothing needs is deleted",
    [rotate],
    { kind: "dropSealingKey", id: keyId("key") },
    ({ SealingKeys }: Rows["cluster"]) => SealingKeys.map(({ ID }) => ID),
    [keyId("key2")],
  ],
  [
    "a sealing key that a secret needs is deleted",
    [aSecret("pw"), rotate],
    { kind: "dropSealingKey", id: keyId("key") },
    "void",
  ],
  [
    "tasks are to move",
    [],
    { kind: "askRebalance", run: true },
    ({ Rebalance }: Rows["cluster"]) => Rebalance?.isAsked,
    true,
  ],
  ["moves from an older memory are noted", [], moving(7), "void"],
  ["the newest sealing key is deleted", [], { kind: "dropSealingKey", id: keyId("key") }, "void"],

  // Config
  [
    "a config is made",
    [],
    aConfig("conf", "x"),
    ({ Spec, Gam, Version }: Rows["config"]) => [Spec.Name, Gam.current, Version.Index],
    ["conf", 1, index],
  ],
  [
    "a config gets other content",
    [aConfig("conf")],
    { kind: "updateConfig", id: conf, labels: {}, content: plain(2), basedOn: 7 },
    ({ Gam }: Rows["config"]) => [Gam.contents.at(-1), Gam.current, Gam.last],
    [plain(2), 2, 2],
  ],
  ["a config is removed", [aConfig("conf")], { kind: "removeConfig", id: conf }, "gone"],
  [
    "a config's idle content is deleted",
    [
      aConfig("conf"),
      { kind: "updateConfig", id: conf, labels: {}, content: plain(2), basedOn: 7 },
    ],
    { kind: "dropConfigContents", id: conf, versions: [1] },
    ({ Gam }: Rows["config"]) => Gam.contents,
    [plain(2)],
  ],
];

function occasionOf(log: TestLog): Occasion {
  return { view: log.store, index, at, atMs };
}

function rowOf(log: TestLog, change: Change): unknown {
  const { store } = log;
  const name = tableOf[change.kind];
  const rule: { idIn: (change: never) => string } = tables[name];
  const id = rule.idIn(change as never);
  if (name === "cluster") return store.cluster;
  const reader: (id: never) => unknown = store[name];
  return reader(id as never);
}

function deepFreeze(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  if (value instanceof Uint8Array) return value; // Cannot be frozen.
  Object.freeze(value);
  for (const one of Object.values(value)) deepFreeze(one);
  return value;
}

for (const [name, before, change, wanted, is] of cases) {
  test(`after one change: ${name}`, () => {
    const log = grown(...before);
    const row = deepFreeze(rowOf(log, change));
    const rule: { after: (row: never, change: never, on: Occasion) => unknown } =
      tables[tableOf[change.kind]];
    const found: unknown = rule.after(row as never, change as never, occasionOf(log));
    if (wanted === "void") assert.equal(found, row);
    else if (wanted === "gone") assert.equal(found, undefined);
    else assert.deepEqual(wanted(found as never), is);
  });
}

/** Tested in changes/cron-change.test.ts. */
const ofRuns = ["endRun", "handleDue", "runJob"];
/** Tested in changes/volumes. */
const ofVolumes = Object.keys(tables.volume.fields);

test("each kind of change is tested, and belongs to its table", () => {
  const tried = new Set<string>(cases.map(([, , { kind }]) => kind));
  assert.deepEqual([...tried, ...ofRuns, ...ofVolumes].sort(), Object.keys(tableOf).sort());
  for (const [name, { fields }] of Object.entries(tables)) {
    for (const kind of Object.keys(fields)) assert.equal(tableOf[kind as Change["kind"]], name);
  }
});
