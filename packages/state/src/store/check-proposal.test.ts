import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, type NodeId } from "@gam/core";
import { testId, testKey } from "@gam/core/testing";
import {
  aCluster,
  aNetwork,
  aNode,
  aNodeNetwork,
  aSeal,
  aSealingKey,
  aService,
  aTask,
  aToken,
} from "../testing/index.ts";
import { checkChange, checkProposal } from "./check-proposal.ts";

const [a, net, web, one, key, p] = ["a", "net", "web", "t1", "k", "p"].map((name) =>
  testId(name),
) as [string, string, string, string, string, string];
const at = "2026-01-01T00:00:00Z";
const node = aNode(a);
const describe = {
  kind: "describeNode",
  id: a,
  addresses: node.Gam.addresses,
  engine: node.Gam.engine,
  network: node.Gam.network,
  description: node.Description,
};
const service = { ...aService(web), spec: { ...aService("web").spec } };
const allocate = {
  kind: "allocateNetwork",
  id: net,
  vni: 4097,
  config: [{ Subnet: "10.0.1.0/24", Gateway: "10.0.1.1" }],
};
const attach = { kind: "attachContainer", network: net, key, node: a, name: "shell" };
const report = { kind: "reportTask", id: one, status: { Timestamp: at, State: "running" } };
const task = aTask("web", one, { slot: 1 });
const create = { kind: "createTask", task: { ...task, ServiceID: web } };
const network = aNetwork("net", { Id: net as never });
const update = { kind: "updateService", id: web, spec: "previous", basedOn: 3 };
const progress = {
  kind: "progressUpdate",
  id: web,
  basedOn: 3,
  waveAtMs: 0,
  updated: ["1", a],
};
const move = {
  ...{ task: one, successor: one, service: web, from: a, to: a },
  ...{ reason: "fuller", basedOn: 3, atMs: 7 },
};
const noted = {
  kind: "noteRebalance",
  ...{ basedOn: 1, isAsked: true, open: [move], past: [{ ...move, endedAtMs: 8, problem: "" }] },
  stopped: { atMs: 8, reason: "it failed" },
};
const join = { kind: "joinNode", node };
const next = { PublicKey: testKey("next"), Signature: Buffer.alloc(64, "s").toString("base64") };
const token = aToken("t", [next.PublicKey]);
const tokens = { Worker: token, Manager: token };
const keys = [aSealingKey("key"), aSealingKey("key2", [next.PublicKey])];
const rotate = { kind: "rotateRoot", root: testKey("root"), next, tokens, keys };
const endpoint = { Spec: {}, VirtualIPs: [{ NetworkID: net, Addr: "10.0.0.2/24" }] };

const rollout = {
  ...{ serial: 3, strategy: "bluegreen", version: 9, base: 4, weight: 100, step: 1 },
  ...{ phase: "watching", sinceMs: 7, failed: [one], paused: { atMs: 8, by: "step" } },
  end: { result: "completed", atMs: 9, reason: "" },
};
const rolledOut = {
  ...{ kind: "progressRollout", id: web, basedOn: 3, rollout, updated: ["1"] },
  status: { State: "completed", StartedAt: "2026-01-01T00:00:00.000Z", Message: "done" },
};

const sealedKey = { [testKey("root")]: "sealed" };

function proposal(...changes: readonly object[]): unknown {
  return decode(encode({ id: p, atMs: 1, changes }));
}

function read(...changes: readonly object[]): unknown {
  return checkProposal(proposal(...changes), "proposal");
}

test("a valid proposal passes unchanged", () => {
  const sent = proposal(
    join,
    describe,
    { ...describe, network: aNodeNetwork({ encryption: "kernel", publicKey: testKey("a") }) },
    { kind: "createCluster", cluster: aCluster() },
    { kind: "createNetwork", network },
    attach,
    { ...attach, wish: "10.0.1.9", aliases: ["sh"] },
    allocate,
    { kind: "setGateways", id: net, gateways: { [a]: "10.0.1.2" } },
    { kind: "attachTask", id: one, attachments: [{ network: net, address: "10.0.1.3" }] },
    { kind: "setAttachment", id: net, key, address: "10.0.1.4" },
    { kind: "refuseAttachment", id: net, key },
    { kind: "setTunnel", id: a, address: "198.18.0.1" },
    { kind: "setEndpoint", id: web, endpoint },
    {
      kind: "scaleService",
      id: web,
      ...{ basedOn: 3, from: 1, to: 2, reason: "load" },
      advice: { now: 2, before: [{ replicas: 1, untilMs: 7 }] },
    },
    { kind: "steerRollout", id: web, version: 7, action: "promote" },
    rolledOut,
    { kind: "askRebalance", auto: true, run: false },
    noted,
    progress,
    update,
    { ...update, registryAuth: aSeal("a"), registryAuthFrom: "previous-spec" },
    { kind: "removeNode", id: a, onlyIf: "down" },
    rotate,
    { ...rotate, next: { ...next, SelfSignature: next.Signature }, unlockKey: sealedKey },
    { kind: "updateCluster", spec: aCluster().Spec, basedOn: 1, unlockKey: sealedKey },
    { kind: "rotateTokens", worker: token },
    report,
  );
  assert.deepEqual(checkProposal(sent, "proposal"), sent);
});

test("a spec gets its stored form, and a stored spec passes unchanged", () => {
  const once = read(service, create);
  assert.deepEqual(checkProposal(once, "proposal"), once);
  const twice = decode(encode(once));
  assert.deepEqual(encode(checkProposal(twice, "proposal")), encode(once));
});

test("unknown fields are dropped, whatever they hold", () => {
  const strange = { ...report, more: 1, status: { ...report.status, again: { deep: {} } } };
  assert.deepEqual(read(strange), read(report));
});

const spec = service.spec;
const template = spec.TaskTemplate;
const withSpec = (change: object): object => ({ ...service, spec: { ...spec, ...change } });
const withTemplate = (change: object): object =>
  withSpec({ TaskTemplate: { ...template, ...change } });
const withGam = (change: object): object => ({
  ...join,
  node: { ...node, Gam: { ...node.Gam, ...change } },
});
const withTask = (change: object): object => ({ ...create, task: { ...create.task, ...change } });
const says = (change: object): object => ({ ...describe, ...change });
const hears = (change: object): object => says({ network: aNodeNetwork(change) });
const nested = (depth: number): object => (depth === 0 ? {} : { in: nested(depth - 1) });

const refused: readonly (readonly [name: string, change: object, path: string])[] = [
  ["a change that nobody knows", { kind: "explode" }, "proposal.changes[0].kind"],
  ["a change that every object knows", { kind: "toString" }, "proposal.changes[0].kind"],
  ["a change whose kind is an object", { kind: nested(2) }, "proposal.changes[0].kind"],
  // Ids
  ["an id with braces", { kind: "removeService", id: "{web} accept; drop" }, "id"],
  ["an id that is too short", { kind: "removeNode", id: "a" }, "id"],
  ["an id in capitals", { kind: "removeNode", id: a.toUpperCase() }, "id"],
  ["an id of every object's", { ...attach, key: "constructor" }, "key"],
  // Hosts
  ["a host that says nothing of itself", says({ description: {} }), "description.Hostname"],
  [
    "a host without a number of CPUs",
    says({ description: { ...node.Description, Resources: { NanoCPUs: "4", MemoryBytes: 1 } } }),
    "description.Resources.NanoCPUs",
  ],
  [
    "a host of no memory that is a number",
    says({
      description: { ...node.Description, Resources: { NanoCPUs: 1, MemoryBytes: Number.NaN } },
    }),
    "MemoryBytes",
  ],
  ["an address without a port", says({ addresses: ["10.0.0.1"] }), "addresses[0]"],
  ["an address with port 0", says({ addresses: ["10.0.0.1:0"] }), "addresses[0]"],
  ["an address with port 70000", says({ addresses: ["10.0.0.1:70000"] }), "addresses[0]"],
  ["an address with a quote", says({ addresses: ['10.0.0.1"; reboot:7946'] }), "addresses[0]"],
  ["a WireGuard key that is too short", hears({ publicKey: "abc=" }), "publicKey"],
  ["a WireGuard key with more behind it", hears({ publicKey: `${testKey("a")}\n` }), "publicKey"],
  ["a route that is none", hears({ routes: ["default"] }), "routes[0]"],
  ["a route that a shell would like", hears({ routes: ["10.0.0.0/8; reboot"] }), "routes[0]"],
  ["an MTU below zero", hears({ mtu: -1 }), "mtu"],
  ["a node with half a network", withGam({ network: { mtu: 1500 } }), "Gam.network"],
  ["a node whose network is a text", withGam({ network: "yes" }), "Gam.network"],
  ["a node that gives itself a tunnel", withGam({ tunnel: "198.18.0.1" }), "node"],
  [
    "a node of a made-up role",
    { ...join, node: { ...node, Spec: { ...node.Spec, Role: "root" } } },
    "Spec",
  ],
  // Networks
  [
    "a network without options",
    { kind: "createNetwork", network: { ...network, Options: 5 } },
    "network",
  ],
  [
    "a network with a subnet that is a number",
    {
      kind: "createNetwork",
      network: { ...network, IPAM: { Driver: "default", Config: [{ Subnet: 10 }] } },
    },
    "network",
  ],
  [
    "a network that is called as a shell likes",
    { kind: "createNetwork", network: { ...network, Name: "a;b" } },
    "network",
  ],
  [
    "a subnet that is a number",
    { ...allocate, config: [{ Subnet: 10, Gateway: "10.0.0.1" }] },
    "config[0].Subnet",
  ],
  [
    "a subnet with zeros in front",
    { ...allocate, config: [{ Subnet: "010.0.1.0/24", Gateway: "10.0.1.1" }] },
    "Subnet",
  ],
  [
    "a gateway outside of its subnet",
    { ...allocate, config: [{ Subnet: "10.0.1.0/24", Gateway: "10.0.2.1" }] },
    "config[0]",
  ],
  ["no subnet at all", { ...allocate, config: [] }, "config"],
  ["a VNI that no frame can carry", { ...allocate, vni: 2 ** 24 }, "vni"],
  ["a VNI that means none", { ...allocate, vni: 0 }, "vni"],
  ["an address that is none", { kind: "setGateways", id: net, gateways: { [a]: 1 } }, "gateways.a"],
  [
    "a gateway of no node",
    { kind: "setGateways", id: net, gateways: { __proto: "10.0.0.1" } },
    "gateways",
  ],
  ["no address for a container", { kind: "setAttachment", id: net, key, address: "" }, "address"],
  [
    "a tunnel that is outside of its range",
    { kind: "setTunnel", id: a, address: "10.0.0.1" },
    "address",
  ],
  [
    "two addresses in one network",
    {
      kind: "attachTask",
      id: one,
      attachments: [1, 2].map((n) => ({ network: net, address: `10.0.0.${n}` })),
    },
    "attachments",
  ],
  // Tasks
  [
    "a state that no task can have",
    { ...report, status: { Timestamp: at, State: "asleep" } },
    "status.State",
  ],
  [
    "a time that is no time",
    { ...report, status: { Timestamp: "soon", State: "running" } },
    "status.Timestamp",
  ],
  [
    "a day that no month has",
    { ...report, status: { Timestamp: "2026-13-41T00:00:00Z", State: "running" } },
    "status.Timestamp",
  ],
  ["a task that is desired to be new", { kind: "desireTask", id: one, desired: "new" }, "desired"],
  [
    "a task that was assigned as it runs",
    { kind: "assignTask", id: one, node: a, status: report.status },
    "status",
  ],
  ["a task whose slot is below zero", withTask({ Slot: -1 }), "Slot"],
  [
    "a task that begins when nothing ends",
    withTask({ Gam: { ...task.Gam, startAfterMs: 1e300 } }),
    "startAfterMs",
  ],
  ["a task without a template", withTask({ Spec: {} }), "Spec"],
  [
    "a task in a network of no id",
    withTask({ Spec: { ...task.Spec, Networks: [{ Target: "" }] } }),
    "Networks[0].Target",
  ],
  // Services
  [
    "a service address without its network",
    { kind: "setEndpoint", id: web, endpoint: { Spec: {}, VirtualIPs: [{ Addr: "10.0.0.2/24" }] } },
    "VirtualIPs[0].NetworkID",
  ],
  [
    "a service address without its prefix",
    {
      kind: "setEndpoint",
      id: web,
      endpoint: { Spec: {}, VirtualIPs: [{ NetworkID: net, Addr: "10.0.0.2" }] },
    },
    "VirtualIPs[0].Addr",
  ],
  [
    "a port beyond all ports",
    { kind: "setEndpoint", id: web, endpoint: { Spec: {}, Ports: [{ PublishedPort: 65_536 }] } },
    "Ports[0].PublishedPort",
  ],
  [
    "an update that is in no state",
    { ...progress, status: { State: "on", StartedAt: at, Message: "" } },
    "status.State",
  ],
  ["an update of a place that is none", { ...progress, updated: ["1", "{"] }, "updated[1]"],
  ["a wave at no time", { ...progress, waveAtMs: Number.POSITIVE_INFINITY }, "waveAtMs"],
  ["a service without an image", withTemplate({ ContainerSpec: {} }), "spec"],
  ["an update to a spec that is a text", { ...update, spec: "next" }, "spec"],
  ["an update that keeps the credentials of nobody", { ...update, registryAuthFrom: "me" }, "From"],
  ["a service without a name", withSpec({ Name: "" }), "spec.Name"],
  ["networks that are a number", withTemplate({ Networks: 5 }), "spec"],
  ["a network target without a target", withTemplate({ Networks: [{ Aliases: ["a"] }] }), "Target"],
  ["a network target that is a name", withSpec({ Networks: [{ Target: "net" }] }), "Target"],
  ["a constraint that is a list", withTemplate({ Placement: { Constraints: [[]] } }), "spec"],
  ["more replicas than memory", withSpec({ Mode: { Replicated: { Replicas: 1e15 } } }), "spec"],
  ["a port that is a text", withSpec({ EndpointSpec: { Ports: [{ TargetPort: "80" }] } }), "spec"],
  ["labels that are no texts", withSpec({ Labels: { a: 1 } }), "spec"],
  [
    "privileges that are no objects",
    withTemplate({ ContainerSpec: { Image: "a", Privileges: { Seccomp: [nested(40)] } } }),
    "spec",
  ],
  [
    "a share of failures that is no number",
    withSpec({ UpdateConfig: { MaxFailureRatio: Number.NaN } }),
    "spec",
  ],
  // The cluster
  [
    "a cluster without its settings",
    { kind: "updateCluster", spec: { Labels: {}, Orchestration: 5 }, basedOn: 1 },
    "spec",
  ],
  [
    "a cluster of subnets of one address",
    { kind: "createCluster", cluster: aCluster({ SubnetSize: 32 }) },
    "cluster",
  ],
  [
    "an unlock key that is sealed under no root key",
    { kind: "updateCluster", spec: aCluster().Spec, basedOn: 1, unlockKey: { root: "key" } },
    "unlockKey",
  ],
  [
    "a signature of a root key that is none",
    { ...rotate, next: { ...next, SelfSignature: "s" } },
    "next.SelfSignature",
  ],
  ["settings that are left out", { kind: "updateCluster", basedOn: 1 }, "spec"],
  ["a node's spec that is left out", { kind: "updateNode", id: a, basedOn: 1 }, "spec"],
  ["a root key that is none", { ...rotate, root: "" }, "root"],
  [
    "a token that is sealed under three keys",
    { ...rotate, tokens: { ...tokens, Worker: aToken("t", ["a", "b", "c"].map(testKey)) } },
    "tokens.Worker.Sealed",
  ],
  [
    "a token whose key is none",
    { kind: "rotateTokens", worker: { ...token, PublicKey: "t" } },
    "worker.PublicKey",
  ],
  [
    "a signature that is a key",
    { ...rotate, next: { ...next, Signature: next.PublicKey } },
    "next.Signature",
  ],
];
for (const [name, change, path] of refused) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => read(change),
      (thrown: Error) =>
        "code" in thrown && thrown.code === "BAD_FRAME" && thrown.message.includes(path),
    );
  });
}

for (const atMs of [Number.NaN, -1, 8.64e15, Number.POSITIVE_INFINITY, "now", null]) {
  test(`a proposal of the time ${atMs} is refused`, () => {
    const sent = { id: p, atMs, changes: [report] };
    assert.throws(() => checkProposal(sent, "proposal"), { code: "BAD_FRAME" });
  });
}

test("a peer's own proposals are checked as another peer's are", () => {
  const addresses = [undefined as unknown as string];
  const change = { ...describe, id: a as NodeId, addresses };
  assert.throws(() => checkProposal({ id: p, atMs: 1, changes: [change] }, "proposal"), {
    code: "BAD_FRAME",
  });
});

test("a checked change is not checked again", () => {
  let looks = 0;
  const status = Object.defineProperty({ Timestamp: at }, "State", {
    enumerable: true,
    get: () => {
      looks += 1;
      return "running";
    },
  });
  const checked = checkChange({ kind: "reportTask", id: one, status }, "change");
  assert.ok(looks > 0);
  looks = 0;
  assert.equal(checkChange(checked, "change"), checked);
  assert.deepEqual(checkProposal({ id: p, atMs: 1, changes: [checked] }, "p").changes, [checked]);
  assert.equal(looks, 0);
});

test("a copy of a checked change is checked", () => {
  const checked = checkChange({ ...report }, "change");
  const misfit = { ...checked, status: { ...report.status, State: "nowhere" } };
  for (let n = 0; n < 2; n += 1) {
    assert.throws(() => checkChange(misfit, "change"), { code: "BAD_FRAME" });
  }
});
