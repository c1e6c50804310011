import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "@gam/core";
import { checkProposal } from "./check-proposal.ts";
import { aNetwork, aNode, aService } from "./testing/index.ts";

const node = aNode("a");
const describe = { kind: "describeNode", id: "a", ...node.Gam };
const allocate = { kind: "allocateNetwork", id: "n", vni: 4097, config: [] };
const attach = { kind: "attachContainer", network: "net", key: "k", node: "a", name: "shell" };
const report = { kind: "reportTask", id: "t", status: { Timestamp: "", State: "running" } };

function proposal(...changes: readonly object[]): unknown {
  return decode(encode({ id: "p", atMs: 1, changes }));
}

test("a proposal comes through as it was sent", () => {
  const sent = proposal(
    { kind: "joinNode", node },
    { ...describe, description: node.Description },
    aService("web"),
    { kind: "createNetwork", network: aNetwork("net") },
    attach,
    { ...attach, wish: "10.0.1.9", aliases: ["sh"] },
    { ...allocate, config: [{ Subnet: "10.0.1.0/24", Gateway: "10.0.1.1" }] },
    { kind: "setGateways", id: "net", gateways: { a: "10.0.1.2" } },
    { kind: "attachTask", id: "t", attachments: [{ network: "net", address: "10.0.1.3" }] },
    { kind: "setAttachment", id: "net", key: "k", address: "10.0.1.4" },
    { kind: "refuseAttachment", id: "net", key: "k" },
    { kind: "setTunnel", id: "a", address: "198.18.0.1" },
    report,
  );
  assert.deepEqual(checkProposal(sent, "proposal"), sent);
});

const refused: readonly (readonly [name: string, change: object, path: string])[] = [
  ["a change that nobody knows", { kind: "explode" }, "proposal.changes[0].kind"],
  ["a change that every object knows", { kind: "toString" }, "proposal.changes[0].kind"],
  ["a host that says nothing of itself", { ...describe, description: {} }, "description.Hostname"],
  [
    "a host without a number of CPUs",
    {
      ...describe,
      description: { ...node.Description, Resources: { NanoCPUs: "4", MemoryBytes: 1 } },
    },
    "description.Resources.NanoCPUs",
  ],
  [
    "a state that no task can have",
    { ...report, status: { Timestamp: "", State: "asleep" } },
    "status.State",
  ],
  [
    "a network that gives itself addresses",
    {
      kind: "createNetwork",
      network: aNetwork("n", { Gam: { vni: 5000, gateways: {}, attachments: {} } }),
    },
    "Gam.vni",
  ],
  ["a subnet that is a number", { ...allocate, config: [{ Subnet: 10 }] }, "config[0].Subnet"],
  ["a VNI that no frame can carry", { ...allocate, vni: 2 ** 24 }, "vni"],
  ["an address that is none", { kind: "setGateways", id: "n", gateways: { a: 1 } }, "gateways.a"],
  [
    "a service address without its network",
    { kind: "setEndpoint", id: "s", endpoint: { Spec: {}, VirtualIPs: [{ Addr: "10.0.0.2/24" }] } },
    "VirtualIPs[0].NetworkID",
  ],
  ["a service without an image", { ...aService("web"), spec: { Name: "web", Mode: {} } }, "spec"],
];
for (const [name, change, path] of refused) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => checkProposal(proposal(change), "proposal"),
      (thrown: Error) =>
        "code" in thrown && thrown.code === "BAD_FRAME" && thrown.message.includes(path),
    );
  });
}

const { spec } = aService("web");
const template = spec.TaskTemplate;
const poison: readonly (readonly [name: string, spec: object])[] = [
  ["networks that are a number", { TaskTemplate: { ...template, Networks: 5 } }],
  [
    "a constraint that is a list",
    { TaskTemplate: { ...template, Placement: { Constraints: [[]] } } },
  ],
  ["more replicas than memory", { Mode: { Replicated: { Replicas: 1e15 } } }],
  ["a port that is a text", { EndpointSpec: { Ports: [{ TargetPort: "80" }] } }],
  ["labels that are no texts", { Labels: { a: 1 } }],
];
for (const [name, change] of poison) {
  test(`a service with ${name} is refused`, () => {
    const bad = { ...spec, ...change };
    const create = { kind: "createService", id: "web", spec: bad, registryAuth: "" };
    assert.throws(() => checkProposal(proposal(create), "proposal"), { code: "BAD_FRAME" });
  });
}

test("a cluster without its settings is refused", () => {
  const change = { kind: "updateCluster", spec: { Labels: {} }, basedOn: 1 };
  assert.throws(() => checkProposal(proposal(change), "proposal"), { code: "BAD_FRAME" });
});
