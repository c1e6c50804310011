import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, TaskId, VolumeName } from "@gam/core";
import fc from "fast-check";
import type { Change } from "../../log/change.ts";
import type { Mount, ServiceMode } from "../../objects/service.ts";
import type { VolumeHome } from "../../objects/volumes/volume.ts";
import { aNode, aService, aTask, type TaskWish, TestLog } from "../../testing/index.ts";
import { bindingVolumes, homesFor, homesWith } from "./volume-need.ts";

const mount = (Source: string, more: Partial<Mount> = {}): Mount => ({
  Type: "volume",
  Source,
  Target: "/data",
  ...more,
});
const driver = (Name: string, Options: Record<string, string> = {}): Partial<Mount> => ({
  VolumeOptions: { DriverConfig: { Name, Options } },
});

const names: readonly (readonly [string, readonly Mount[], ServiceMode, readonly string[]])[] = [
  ["a named volume", [mount("data")], {}, ["data"]],
  ["two mounts of one volume", [mount("data"), mount("data")], {}, ["data"]],
  ["an anonymous volume", [mount("")], {}, []],
  ["a bind mount", [{ ...mount("/srv"), Type: "bind" }], {}, []],
  ["another driver", [mount("data", driver("rexray/ebs"))], {}, []],
  ["NFS", [mount("data", driver("local", { type: "nfs4", device: ":/x" }))], {}, []],
  ["CIFS", [mount("data", driver("", { type: "cifs" }))], {}, []],
  ["a folder of the host", [mount("data", driver("local", { type: "none" }))], {}, ["data"]],
  ["a name for each slot", [mount("data-{{.Task.Slot}}")], {}, ["data-2"]],
  ["a name for each node", [mount("data-{{.Node.Hostname}}")], {}, []],
  ["a name for each task", [mount("data-{{.Task.ID}}")], {}, []],
  ["a name that is no template", [mount("data-{{")], {}, []],
  ["a name that no engine takes", [mount("a/b")], {}, []],
  ["a job that runs once", [mount("data")], { ReplicatedJob: { TotalCompletions: 1 } }, ["data"]],
  ["a job of many", [mount("data")], { ReplicatedJob: { TotalCompletions: 9 } }, []],
];

for (const [name, Mounts, mode, want] of names) {
  test(`which volumes bind: ${name}`, () => {
    const log = new TestLog();
    log.write(aService("db", { mode }));
    const template = { ContainerSpec: { Image: "db:1", Mounts } };
    log.write({ kind: "createTask", task: aTask("db", "t1", { slot: 2, template }) });
    const task = log.store.tasks()[0];
    assert.ok(task);
    assert.deepEqual(bindingVolumes(task, log.store.service(task.ServiceID)), want);
  });
}

test("a global service is not bound", () => {
  const log = new TestLog();
  log.write(aService("agent", { mode: { Global: {} } }));
  const template = { ContainerSpec: { Image: "agent:1", Mounts: [mount("data")] } };
  log.write({ kind: "createTask", task: aTask("agent", "t1", { node: "a", template }) });
  assert.deepEqual(bindingVolumes(log.store.tasks()[0] as never, log.store.services()[0]), []);
});

const [a, b] = ["a", "b"] as [NodeId, NodeId];
const home = (node: NodeId, ...users: string[]): VolumeHome => ({ node, users });
const labelled = (text: string): TaskWish["extra"] => ({
  serviceLabels: { "gam.volume.onloss": text },
});

const bound: readonly (readonly [string, readonly VolumeHome[], object, string])[] = [
  ["a new volume", [], {}, ""],
  ["a volume that the slot used", [home(a, "db.1"), home(b, "db.2")], { replicas: 2 }, "a"],
  ["a slot that never ran, of several", [home(b, "db.2")], { replicas: 2 }, ""],
  ["a single task and another service's volume", [home(b, "api.1")], {}, "b"],
  ["a single task and several homes", [home(a, "api.1"), home(b, "api.2")], {}, "a b"],
  ["a node that is down", [home(a, "db.1")], { down: true }, "a"],
  [
    "a node that is down, and a volume that may be lost",
    [home(a, "db.1")],
    { down: true, ...{ extra: labelled("fresh") } },
    "",
  ],
  [
    "a node that is up, and a volume that may be lost",
    [home(a, "db.1")],
    { extra: labelled("fresh") },
    "a",
  ],
];

for (const [name, Homes, wish, want] of bound) {
  test(`where a task is bound to: ${name}`, () => {
    const {
      replicas = 1,
      down = false,
      extra,
    } = wish as {
      replicas?: number;
      down?: boolean;
      extra?: TaskWish["extra"];
    };
    const log = new TestLog();
    log.write(
      { kind: "joinNode", node: aNode("a", { state: down ? "down" : "ready" }) },
      { kind: "joinNode", node: aNode("b") },
      aService("db", { replicas }),
    );
    log.write({ kind: "createTask", task: aTask("db", "t1", { slot: 1, extra }) });
    const task = log.store.task("t1" as TaskId);
    assert.ok(task);
    const found = homesFor({ Homes }, task, log.store).map(({ node }) => node);
    assert.equal(found.join(" "), want);
  });
}

test("a user has one home, whatever its moves, and no home is left without users", () => {
  const step = fc.record({ user: fc.constantFrom("x.1", "x.2", "y.1"), node: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let homes: readonly VolumeHome[] = [];
      for (const { user, node } of steps) {
        homes = homesWith(homes, user, `n${node}` as NodeId);
        const [own, ...more] = homes.filter(({ users }) => users.includes(user));
        assert.equal(own?.node, `n${node}`);
        assert.deepEqual(more, []);
        assert.ok(homes.every(({ users }) => users.length > 0));
        assert.equal(new Set(homes.map((one) => one.node)).size, homes.length);
        assert.equal(homesWith(homes, user, `n${node}` as NodeId), homes);
      }
    }),
  );
});

const data = "data" as VolumeName;
const template = { ContainerSpec: { Image: "db:1", Mounts: [mount("data")] } };
const status = { Timestamp: "2026-01-01T00:00:00.000Z", State: "assigned" } as const;

/** Two nodes, two services of one task that share a volume. */
function sharing(): TestLog {
  const log = new TestLog();
  log.write(
    { kind: "joinNode", node: aNode("a") },
    { kind: "joinNode", node: aNode("b") },
    aService("db", { template }),
    aService("backup", { template }),
  );
  for (const [service, id] of [
    ["db", "t1"],
    ["backup", "t2"],
  ] as const) {
    log.write({ kind: "createTask", task: aTask(service, id, { slot: 1, template }) });
  }
  return log;
}
const assign = (id: string, node: NodeId): Change => {
  return { kind: "assignTask", id: id as TaskId, node, status };
};

test("the first placement decides, also within one entry of the log", () => {
  const log = sharing();
  log.write(assign("t1", a), assign("t2", b));
  assert.equal(log.store.task("t1" as TaskId)?.NodeID, a);
  assert.equal(log.store.task("t2" as TaskId)?.NodeID, undefined);
  assert.deepEqual(log.store.volume(data)?.Homes, [home(a, "db.1")]);
  log.write(assign("t2", a));
  assert.deepEqual(log.store.volume(data)?.Homes, [home(a, "db.1", "backup.1")]);
});

test("the record outlives its services, and ends with the volume", () => {
  const log = sharing();
  log.write(assign("t1", a));
  for (const { ID: id } of log.store.services()) log.write({ kind: "removeService", id });
  assert.deepEqual(log.store.volume(data)?.Homes, [home(a, "db.1")]);
  const elsewhere = log.write({ kind: "removeVolume", id: data, node: b });
  assert.equal(elsewhere.outcome.kind, "refused");
  log.write({ kind: "removeVolume", id: data, node: a });
  assert.equal(log.store.volume(data), undefined);
});

test("a removed node frees the volume, and the record says so until it has a home", () => {
  const log = sharing();
  log.write(assign("t1", a));
  log.write({ kind: "removeNode", id: a });
  assert.deepEqual(
    [log.store.volume(data)?.Homes, log.store.volume(data)?.LostWith],
    [[], "host-a"],
  );
  log.write(assign("t2", b));
  assert.deepEqual(
    [log.store.volume(data)?.Homes, log.store.volume(data)?.LostWith],
    [[home(b, "backup.1")], undefined],
  );
});
