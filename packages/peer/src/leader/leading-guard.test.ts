import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ProposalId, ServiceId, TaskId } from "@gam/core";
import { counterMint } from "@gam/core/testing";
import type { Service, Task, View } from "@gam/state";
import { aCluster, aNetwork, aNode, aService, TestLog } from "@gam/state/testing";
import { type LeaderFacts, Leading } from "./leading.ts";
import type { LeadersChange } from "./restraint.ts";

const [a, b] = ["a", "b"] as NodeId[] as [NodeId, NodeId];

function factsOf(nowMs: number): LeaderFacts {
  return {
    self: a,
    nowMs,
    usage: new Map(),
    verdictOf: () => ({ verdict: "alive", reason: "" }),
    configuration: { voters: [a], votersOutgoing: [], learners: [b], standbys: [] },
    caughtUp: () => true,
    answers: () => true,
    trust: () => true,
    voteSilenceTicks: 6000,
    votersMax: 5,
  };
}

/** A view in which some objects are misshapen. */
function spoilt(view: View, change: Partial<Record<keyof View, unknown>>): View {
  return new Proxy(view, {
    get: (target, name) =>
      change[name as keyof View] ?? (target as unknown as Record<string | symbol, unknown>)[name],
  });
}

function logged(): TestLog {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() });
  log.write({ kind: "joinNode", node: aNode(a) }, { kind: "joinNode", node: aNode(b) });
  log.write({ kind: "createNetwork", network: aNetwork("net") });
  const nowhere = { Placement: { Constraints: ["node.id == nowhere"] } };
  log.write(aService("bad", { template: nowhere }), aService("good", { replicas: 2 }));
  return log;
}

/** Everything planned until nothing is left to plan, and the objects left alone by then. */
function planAll(log: TestLog, change: Partial<Record<keyof View, unknown>>): string[] {
  const leading = new Leading(counterMint("t"));
  const held: string[] = [];
  for (let round = 0; round < 400; round += 1) {
    leading.tick();
    leading.tick();
    const view = spoilt(log.store, change);
    const changes = leading.plan(view, factsOf(log.nowMs));
    held.push(...leading.takeHeld().map(({ id }) => id));
    if (changes.length === 0) continue;
    const id = `p${round}` as ProposalId;
    leading.proposed(id, changes);
    const { events } = log.write(...changes);
    leading.settle(id);
    leading.notice(events, true);
  }
  return held;
}

const bad = "bad" as ServiceId;
const good = "good" as ServiceId;

function running(log: TestLog): number {
  return log.store.tasksOf(good).filter(({ NodeID }) => NodeID !== undefined).length;
}

test("a service on which its plan throws is left alone, and the others go on", () => {
  const log = logged();
  const service = (id: ServiceId): Service | undefined => {
    const found = log.store.service(id);
    if (id !== bad || found === undefined) return found;
    return { ...found, Spec: { ...found.Spec, Mode: undefined as never } };
  };
  assert.ok(planAll(log, { service }).includes(bad));
  assert.equal(running(log), 2);
});

/** The waiting tasks, with those of one service changed. */
function waiting(
  log: TestLog,
  change: Partial<Record<keyof Task, unknown>>,
): () => readonly Task[] {
  return () =>
    log.store.tasksWaiting().map((task) => {
      return task.ServiceID === bad ? ({ ...task, ...change } as Task) : task;
    });
}

test("a task on which the scheduler throws is left alone, and the others go on", () => {
  const log = logged();
  const held = planAll(log, { tasksWaiting: waiting(log, { Spec: null }) });
  const [task] = log.store.tasksOf(bad);
  assert.ok(task !== undefined && held.includes(task.ID));
  assert.equal(running(log), 2);
});

test("a network on which the allocator throws is left alone, and the others go on", () => {
  const log = logged();
  log.write({ kind: "createNetwork", network: aNetwork("poor") });
  const network = (id: string): unknown => {
    const found = log.store.network(id as never);
    return id === "poor" && found ? { ...found, IPAM: undefined } : found;
  };
  assert.ok(planAll(log, { network }).includes("poor"));
  assert.ok((log.store.network("net" as never)?.Gam.vni ?? 0) > 0);
  assert.equal(running(log), 2);
});

test("a plan that never stops changing an object is paused and named, and the others go on", () => {
  const log = logged();
  // Whatever the state says, this task always seems to wait without an explanation.
  const Status = { Timestamp: "", State: "pending", Err: "" };
  const held = planAll(log, { tasksWaiting: waiting(log, { Status }) });
  const [task] = log.store.tasksOf(bad);
  assert.deepEqual([...new Set(held)], [task?.ID]);
  assert.ok(log.store.index < 300, `${log.store.index} entries`);
  assert.equal(running(log), 2);
});

test("a plan that throws as a whole does not throw further", () => {
  const log = logged();
  const leading = new Leading(counterMint("t"));
  const nodes = (): never => {
    throw new Error("no nodes today");
  };
  const view = spoilt(log.store, { nodes: () => log.store.nodes(), tasksWaiting: nodes });
  let changes: readonly LeadersChange[] = [];
  for (let round = 0; round < 20; round += 1) {
    leading.tick();
    leading.tick();
    changes = leading.plan(view, factsOf(log.nowMs));
    if (changes.length > 0) leading.notice(log.write(...changes).events, true);
  }
  assert.ok(leading.takeHeld().some(({ why }) => why.includes("no nodes today")));
  assert.ok(log.store.task("none" as TaskId) === undefined);
});
