import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, NodeId, ServiceId, TaskId } from "@gam/core";
import type { Change } from "@gam/state";
import { aCluster, aNetwork, aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { assignedOf, membersOf, whatMoved } from "./moved.ts";

const [a, b] = ["a", "b"] as NodeId[] as [NodeId, NodeId];
const t1 = "t1" as TaskId;
const web = "web" as ServiceId;

/** A cluster of a (a manager) and b (a worker), and a service. */
function world(...more: Change[]): TestLog {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() });
  log.write({ kind: "joinNode", node: aNode(a) });
  log.write({ kind: "joinNode", node: aNode(b, { spec: { Role: "worker" } }) });
  log.write(aService("web"));
  for (const change of more) log.write(change);
  return log;
}

const onA: Change = { kind: "createTask", task: aTask("web", t1, { node: a }) };
const onB: Change = { kind: "createTask", task: aTask("web", t1, { node: b }) };
const nothing = { members: false, tasks: false, removed: false };

const cases: {
  name: string;
  before?: Change[];
  changes: Change[];
  want: Partial<ReturnType<typeof whatMoved>>;
}[] = [
  { name: "a service is made", changes: [aService("other")], want: { tasks: true } },
  {
    name: "a service is removed",
    changes: [{ kind: "removeService", id: web }],
    want: { tasks: true },
  },
  {
    name: "an update of a service goes on",
    changes: [
      {
        ...{ kind: "progressUpdate", id: web, basedOn: 4, waveAtMs: 0 },
        ...{ updated: ["1"], status: undefined },
      },
    ],
    want: {},
  },
  { name: "this node gets a task", changes: [onA], want: { tasks: true } },
  { name: "another node gets a task", changes: [onB], want: {} },
  {
    name: "a task of this node is removed",
    before: [onA],
    changes: [{ kind: "removeTask", id: t1 }],
    want: { tasks: true },
  },
  {
    name: "a task of another node is removed",
    before: [onB],
    changes: [{ kind: "removeTask", id: t1 }],
    want: {},
  },
  {
    name: "a network is made",
    changes: [{ kind: "createNetwork", network: aNetwork("front") }],
    want: { tasks: true },
  },
  {
    name: "a node joins",
    changes: [{ kind: "joinNode", node: aNode("c") }],
    want: { members: true },
  },
  {
    name: "another node is removed",
    changes: [{ kind: "removeNode", id: b }],
    want: { members: true },
  },
  {
    name: "this node is removed",
    changes: [{ kind: "removeNode", id: a }],
    want: { members: true, removed: true },
  },
  {
    name: "this node is removed and another gets a task",
    changes: [{ kind: "removeNode", id: a }, onB],
    want: { members: true, removed: true },
  },
];

for (const { name, before = [], changes, want } of cases) {
  test(`whatMoved() when ${name}`, () => {
    const { events } = world(...before).write(...changes);
    assert.deepEqual(whatMoved(events, a), { ...nothing, ...want });
  });
}

test("membersOf() lists every node, and which of them are workers", () => {
  const { effect, input } = membersOf(world().store);
  assert.deepEqual(
    effect.members.map(({ id }) => id),
    [a, b],
  );
  assert.deepEqual(input, { kind: "members", ids: [a, b], workers: [b] });
});

test("assignedOf() says how long leaving tasks of the node may keep their connections", () => {
  const attachments = [{ network: "front" as NetworkId, address: "10.0.1.7" }];
  const task = (id: string, desired: "running" | "shutdown"): Change => {
    return {
      kind: "createTask",
      task: aTask("web", id, { node: a, desired, extra: { attachments } }),
    };
  };
  const log = world(task("t1", "shutdown"), task("t2", "running"));
  const drains = () => [...(assignedOf(log.store, { self: a, caughtUp: true })?.drainsMs ?? [])];
  assert.deepEqual(drains(), []);
  const { spec } = aService("web", { spec: { Labels: { "gam.drain": "90s" } } });
  log.write({
    kind: "updateService",
    id: web,
    spec,
    basedOn: log.store.service(web)?.Version.Index ?? 0,
  });
  assert.deepEqual(drains(), [[t1, 90_000]]);
  log.write({ kind: "removeService", id: web });
  assert.deepEqual(drains(), [], "who removes a service does not wait");
});

test("assignedOf() gives a node its own tasks, and nothing before the node is a member", () => {
  const { store } = world(onA, { kind: "createNetwork", network: aNetwork("front") });
  const assigned = assignedOf(store, { self: a, caughtUp: true });
  assert.deepEqual(assigned?.tasks, store.tasksOn(a));
  assert.equal(assigned?.networks.length, 1);
  assert.equal(assigned?.index, store.index);
  assert.equal(assigned?.caughtUp, true);
  assert.deepEqual(assignedOf(store, { self: b, caughtUp: false })?.tasks, []);
  assert.equal(assignedOf(store, { self: "c" as NodeId, caughtUp: true }), undefined);
});
