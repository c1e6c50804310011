import assert from "node:assert/strict";
import { test } from "node:test";
import { encode, type NodeId, type ProposalId, type ServiceId } from "@gam/core";
import { testId, testKey } from "@gam/core/testing";
import type { Change } from "../log/change.ts";
import { aCluster, aNetwork, aNode, aNodeNetwork, aService, aTask } from "../testing/index.ts";
import { readProposal } from "./check-proposal.ts";
import { readDump } from "./dump.ts";
import { Store } from "./store.ts";

const [a, b, web, net, one, key] = ["a", "b", "web", "net", "t1", "k"].map((name) =>
  testId(name),
) as [NodeId, NodeId, ServiceId, string, string, string];
const nowMs = Date.UTC(2026, 0, 1);

/** Log entries as all peers read them. Proposals that fail the check are left out. */
function apply(store: Store, ...changes: readonly object[]): string {
  const id = testId<ProposalId>(`p${store.index}x`);
  const data = encode({ id, atMs: nowMs, changes });
  try {
    return store.apply(store.index + 1, readProposal(data)).outcome.kind;
  } catch {
    return "unreadable";
  }
}

function grown(): Store {
  const store = new Store();
  const task = { ...aTask("web", one, { slot: 1 }), ServiceID: web };
  const steps: readonly (readonly object[])[] = [
    [{ kind: "createCluster", cluster: aCluster() }],
    [
      { kind: "joinNode", node: aNode(a) },
      { kind: "joinNode", node: aNode(b) },
    ],
    [{ ...aService(web), spec: aService("web").spec }],
    [{ kind: "createNetwork", network: aNetwork("net", { Id: net as never, Attachable: true }) }],
    [{ kind: "createTask", task }],
  ];
  for (const step of steps) assert.equal(apply(store, ...step), "applied");
  return store;
}

const { spec } = aService("web");
const report = (Timestamp: string): object => {
  return { kind: "reportTask", id: one, status: { Timestamp, State: "running" } };
};
const allocate = (Subnet: string, Gateway: string): object => {
  return { kind: "allocateNetwork", id: net, vni: 4097, config: [{ Subnet, Gateway }] };
};
const update = (change: object): object => ({
  kind: "updateService",
  id: web,
  spec: { ...spec, ...change },
  basedOn: 3,
});
const describe = (id: NodeId, addresses: readonly string[]): object => {
  const { Description: description, Gam } = aNode(id);
  const network = aNodeNetwork({ encryption: "kernel", publicKey: testKey("same") });
  return { kind: "describeNode", id, description, addresses, engine: Gam.engine, network };
};
const other = { ...aService(testId("other")), spec: { ...spec, Name: "other" } };

/** Values at the limits of what is allowed. */
const steps: readonly (readonly [name: string, ...changes: readonly object[]])[] = [
  ["a report from before 1970", report("0001-01-01T00:00:00Z")],
  ["a report from the last day of all", report("9999-12-31T23:59:59.999Z")],
  ["a report from beyond it", report("9999-12-31T23:59:59-12:00")],
  ["a subnet that begins in its middle", allocate("10.0.1.7/24", "10.0.1.1")],
  ["a subnet that is too large", allocate("0.0.0.0/0", "10.0.1.1")],
  ["a subnet whose gateway is its last address", allocate("10.0.1.0/24", "10.0.1.255")],
  ["a subnet that is one address", allocate("10.0.1.1/32", "10.0.1.1")],
  ["a service that takes another's name", other as object, update({ Name: "other" })],
  [
    "a service that went back",
    update({ Labels: { a: "b" } }),
    { kind: "rollbackService", id: web, basedOn: 6, message: "" },
  ],
  [
    "a service with a port without end",
    update({ EndpointSpec: { Ports: [{ Name: "x".repeat(300), TargetPort: 80 }] } }),
  ],
  ["two nodes with the same key", describe(a, ["10.0.0.1:1"]), describe(b, ["10.0.0.2:1"])],
  ["two nodes at the same address", describe(a, ["10.0.0.1:1"]), describe(b, ["10.0.0.1:1"])],
  ["a node at one address twice", describe(a, ["10.0.0.1:1", "10.0.0.1:1"])],
  [
    "two nodes with one tunnel",
    ...[a, b].map((id) => ({ kind: "setTunnel", id, address: "198.18.0.1" })),
  ],
  ["a node that joins again", { kind: "joinNode", node: aNode(a) }],
  [
    "a node that is judged by an engine's many words",
    { kind: "judgeNode", id: a, status: { State: "down", Message: "x".repeat(8192) } },
  ],
  [
    "a container with an address of none",
    { kind: "attachContainer", network: net, key, node: a, name: "x" },
    { kind: "setAttachment", id: net, key, address: "" },
  ],
  [
    "a node that is removed and comes back",
    { kind: "removeNode", id: b },
    { kind: "joinNode", node: aNode(b) },
  ],
];

for (const [name, ...changes] of steps) {
  test(`a snapshot may hold the state after ${name}`, () => {
    const store = grown();
    for (const change of changes) apply(store, change);
    const dump = readDump(store.dump());
    const again = new Store();
    again.restore(dump);
    assert.deepEqual(again.dump(), store.dump());
    assert.equal(apply(store, { kind: "removeService", id: web } satisfies Change), "applied");
  });
}
