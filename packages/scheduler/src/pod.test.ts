/** Pods: placed whole, and never half. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ServiceId, TaskId } from "@gam/core";
import { type Change, type PlannedChange, readConstraints, type TaskSpec } from "@gam/state";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";
import fc from "fast-check";
import { judgeNodes } from "./judge.ts";
import { planPlacement } from "./placement.ts";

const cpu = 1e9;

function reserves(cpus: number, more: Partial<TaskSpec> = {}): Partial<TaskSpec> {
  return { Resources: { Reservations: { NanoCPUs: cpus * cpu } }, ...more };
}

function aPart(name: string, cpus: number, more: Partial<TaskSpec> = {}, role = ""): Change {
  const Labels = { "gam.pod": "web", "gam.pod.role": role };
  return aService(name, { template: reserves(cpus, more), spec: { Labels } });
}

function aNodeWith(id: string, cpus: number, Labels: Record<string, string> = {}): Change {
  const description = { Resources: { NanoCPUs: cpus * cpu, MemoryBytes: 2 ** 30 } };
  const spec = { Labels, Role: "worker", Availability: "active" } as const;
  return { kind: "joinNode", node: aNode(id, { description, spec }) };
}

function plan(log: TestLog): PlannedChange[] {
  const changes = planPlacement(log.store, { usage: new Map(), nowMs: log.nowMs });
  if (changes.length > 0) log.write(...changes);
  return changes;
}

/** Where the tasks are, or why they are nowhere. */
function places(log: TestLog, ...ids: string[]): (string | undefined)[] {
  return ids.map((id) => {
    const task = log.store.task(id as TaskId);
    return task?.Status.State === "assigned" ? task.NodeID : task?.Status.Err;
  });
}

const web = (id: string, cpus = 1, slot = 1): Change => ({
  kind: "createTask",
  task: aTask("web", id, { slot, template: reserves(cpus), desired: "ready" }),
});
const partOf = (main: string, name: string, cpus: number, node: string): Change => {
  const extra = { pod: main as TaskId, serviceLabels: { "gam.pod": "web" } };
  const wish = { slot: 1, node, state: "pending", template: reserves(cpus), extra } as const;
  return { kind: "createTask", task: aTask(name, `${name}-${main}`, wish) };
};

test("a pod goes where all of its parts fit together", () => {
  const log = new TestLog();
  log.write(aNodeWith("a", 2), aNodeWith("b", 4), aService("web"), aPart("log", 1.5));
  log.write(web("t1"), web("t2", 1, 2));
  plan(log);
  const found = places(log, "t1", "t2");
  assert.deepEqual(found[0], "b");
  assert.match(found[1] ?? "", /insufficient resources on 2 nodes/);
});

test("the room of a part that is to come is kept", () => {
  const log = new TestLog();
  log.write(aNodeWith("a", 3), aService("web"), aPart("log", 1.5), aService("greedy"), web("t1"));
  plan(log);
  const greedy = aTask("greedy", "g", { slot: 1, template: reserves(1) });
  log.write({ kind: "createTask", task: greedy });
  plan(log);
  assert.match(places(log, "g")[0] ?? "", /insufficient resources/);
  log.write(partOf("t1", "log", 1.5, "a"));
  plan(log);
  assert.deepEqual(places(log, "t1", "log-t1"), ["a", "a"]);
  // While the part is started again, its room stays its own.
  const status = { Timestamp: "2026-01-01T00:00:00.000Z", State: "failed" } as const;
  log.write({ kind: "reportTask", id: "log-t1" as TaskId, status });
  plan(log);
  assert.match(places(log, "g")[0] ?? "", /insufficient resources/);
});

test("an init container's room is free once its main task may start", () => {
  const log = new TestLog();
  log.write(aNodeWith("a", 2), aService("web"), aPart("prepare", 1, {}, "init"), aService("late"));
  log.write(web("t1"));
  plan(log);
  log.write({
    kind: "createTask",
    task: aTask("late", "l", { slot: 1, template: reserves(1) }),
  });
  plan(log);
  assert.match(places(log, "l")[0] ?? "", /insufficient resources/);
  log.write({ kind: "desireTask", id: "t1" as TaskId, desired: "running" });
  plan(log);
  assert.deepEqual(places(log, "l"), ["a"]);
});

test("a pod goes only where each part may run, and says whose rule is broken", () => {
  const log = new TestLog();
  const Placement = { Constraints: ["node.labels.disk==ssd"] };
  assert.ok(readConstraints(Placement.Constraints) !== undefined);
  log.write(aNodeWith("a", 4), aNodeWith("b", 4, { disk: "ssd" }));
  log.write(aService("web"), aPart("log", 1, { Placement }), web("t1"));
  const task = log.store.task("t1" as TaskId);
  assert.ok(task !== undefined);
  const verdicts = judgeNodes(log.store, task, { usage: new Map(), nowMs: 0 });
  assert.deepEqual(
    verdicts.map(({ obstacles }) => obstacles),
    [["log: scheduling constraints not satisfied: node.labels.disk == ssd"], []],
  );
  plan(log);
  assert.deepEqual(places(log, "t1"), ["b"]);
});

test("a pod returns to the node with a volume of one of its parts", () => {
  const log = new TestLog();
  const Mounts = [{ Type: "volume" as const, Source: "data", Target: "/data" }];
  const mounts = { ContainerSpec: { Image: "tiny:1", Mounts } };
  log.write(aNodeWith("a", 4), aNodeWith("b", 4));
  log.write(aService("web"), aPart("log", 1, mounts), web("t1"));
  plan(log);
  const [node] = places(log, "t1");
  const extra = { pod: "t1" as TaskId, serviceLabels: { "gam.pod": "web" } };
  const wish = { slot: 1, node: node ?? "", state: "pending", template: mounts, extra } as const;
  log.write({ kind: "createTask", task: aTask("log", "l1", wish) });
  plan(log);
  assert.deepEqual(places(log, "l1"), [node]);
  log.write({ kind: "removeTask", id: "t1" as TaskId }, { kind: "removeTask", id: "l1" as TaskId });
  // The other node is emptier now.
  log.write({ kind: "createTask", task: aTask("x", "x", { slot: 1, node: node ?? "" }) });
  log.write(web("t2"));
  plan(log);
  assert.deepEqual(places(log, "t2"), [node]);
});

const aCpu = fc.integer({ min: 0, max: 30 }).map((tenths) => tenths / 10);

interface Case {
  readonly nodes: readonly number[];
  readonly main: number;
  readonly parts: readonly number[];
  /** Tasks of other services that come before each plan. */
  readonly others: readonly (readonly number[])[];
}

const aCase: fc.Arbitrary<Case> = fc.record({
  nodes: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 5 }),
  main: aCpu,
  parts: fc.array(aCpu, { minLength: 1, maxLength: 3 }),
  others: fc.array(fc.array(aCpu, { maxLength: 4 }), { minLength: 3, maxLength: 6 }),
});

/** Plays a case: main tasks come, then others, then the parts. Returns: the parts that found no room. */
function play({ nodes, main, parts, others }: Case, isKnown: boolean): number {
  const log = new TestLog();
  log.write(aService("web"));
  for (const [at, cpus] of nodes.entries()) log.write(aNodeWith(`n${at}`, cpus));
  const Labels: Record<string, string> = isKnown ? { "gam.pod": "web" } : {};
  for (const [at, cpus] of parts.entries()) {
    log.write(aService(`p${at}`, { template: reserves(cpus), spec: { Labels } }));
  }
  let count = 0;
  for (const [round, wave] of others.entries()) {
    log.write(web(`t${round}`, main, round + 1));
    for (const cpus of wave) {
      count += 1;
      const wish = { slot: count, template: reserves(cpus) };
      // Tasks of one service are alike.
      log.write(aService(`o${count}`));
      log.write({ kind: "createTask", task: aTask(`o${count}`, `o${count}`, wish) });
    }
    plan(log);
    // The parts of what was placed before come one plan later.
    for (const task of log.store.tasksOf("web" as ServiceId)) {
      if (task.NodeID === undefined) continue;
      for (const [at, cpus] of parts.entries()) {
        const part = partOf(task.ID, `p${at}`, cpus, task.NodeID);
        if (part.kind === "createTask" && log.store.task(part.task.ID) === undefined) {
          log.write(part);
        }
      }
    }
  }
  plan(log);
  for (const id of nodes.keys()) {
    const on = log.store
      .tasksOn(`n${id}` as NodeId)
      .filter((task) => task.Status.State === "assigned");
    const used = on.map(({ Spec }) => Spec.Resources?.Reservations?.NanoCPUs ?? 0);
    const sum = used.reduce((a, b) => a + b, 0);
    assert.ok(sum <= (nodes[id] ?? 0) * cpu + 1, `node ${id} has more than it can hold`);
  }
  const all = log.store.tasks().filter(({ Gam }) => Gam.pod !== undefined);
  return all.filter(({ Status }) => Status.State !== "assigned").length;
}

test("whatever comes meanwhile, each part of a placed pod finds its room", () => {
  fc.assert(
    fc.property(aCase, (one) => play(one, true) === 0),
    { numRuns: 300 },
  );
});

test("the property fails for parts of which the scheduler knows nothing", () => {
  assert.throws(() => {
    fc.assert(
      fc.property(aCase, (one) => play(one, false) === 0),
      { numRuns: 300, seed: 1 },
    );
  });
});
