import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, NodeId, ServiceId, TaskId } from "@gam/core";
import type { PlannedChange } from "@gam/state";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { Restraint } from "./restraint.ts";

const explain = (Err: string, id = "t1"): PlannedChange => ({
  kind: "explainTask",
  id: id as TaskId,
  status: { Timestamp: String(Math.random()), State: "pending", Message: "", Err },
});
const bridge = (address: string): PlannedChange => ({
  kind: "setGateways",
  id: "n" as NetworkId,
  gateways: { a: address },
});

function settle(restraint: Restraint, change: PlannedChange, times: number): void {
  for (let n = 0; n < times; n += 1) restraint.settled([change]);
}

function wait(restraint: Restraint, ticks: number): boolean {
  let ended = false;
  for (let n = 0; n < ticks; n += 1) ended = restraint.tick() || ended;
  return ended;
}

test("Restraint leaves an object alone whose change is repeated, and names it once", () => {
  const restraint = new Restraint();
  settle(restraint, explain("why"), 100);
  assert.ok(restraint.holds("t1"));
  assert.deepEqual(restraint.takeNews(), [
    { id: "t1", why: '"explainTask" changes nothing', ticks: 100 },
  ]);
  assert.deepEqual(restraint.takeNews(), []);
  const others = [explain("why", "t2"), bridge("10.0.0.1")];
  assert.deepEqual(restraint.admit([explain("why"), ...others]), others);
});

test("Restraint sees two changes that undo each other", () => {
  const restraint = new Restraint();
  for (let n = 0; n < 40; n += 1) settle(restraint, bridge(n % 2 === 0 ? "10.0.0.1" : ""), 1);
  assert.ok(restraint.holds("n"));
});

test("Restraint does not pause changes that make progress", () => {
  const restraint = new Restraint();
  for (let n = 0; n < 200; n += 1) restraint.settled([bridge(`10.0.0.${n}`)]);
  assert.ok(!restraint.holds("n"));
});

test("Restraint does not pause changes that are rarely repeated", () => {
  const restraint = new Restraint();
  for (let n = 0; n < 100; n += 1) {
    restraint.settled([bridge("10.0.0.1")]);
    wait(restraint, 700);
  }
  assert.ok(!restraint.holds("n"));
});

test("Restraint tries again, and doubles the pause each time that fails", () => {
  const restraint = new Restraint();
  const waits: number[] = [];
  for (let n = 0; n < 9; n += 1) {
    settle(restraint, explain("why"), 30);
    const [held] = restraint.takeNews();
    waits.push(held?.ticks ?? 0);
    assert.ok(wait(restraint, held?.ticks ?? 0), "it says that the pause has ended");
    assert.ok(!restraint.holds("t1"));
  }
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_000, 12_000]);
});

test("Restraint ends the pause of an object that another peer changed", () => {
  const restraint = new Restraint();
  const log = new TestLog();
  log.write({ kind: "joinNode", node: aNode("a") }, aService("web"));
  const { events } = log.write({ kind: "createTask", task: aTask("web", "t1") });
  settle(restraint, explain("why"), 100);
  restraint.moved(events);
  assert.ok(!restraint.holds("t1"));
});

test("Restraint never delays a verdict that a node is down", () => {
  const restraint = new Restraint();
  const judge: PlannedChange = { kind: "judgeNode", id: "a" as NodeId, status: { State: "down" } };
  settle(restraint, judge, 1000);
  assert.deepEqual(restraint.admit([judge]), [judge]);
  restraint.failed("a", "it threw");
  assert.deepEqual(restraint.admit([judge]), [judge]);
});

test("Restraint counts new tasks for their service and place, whatever their ids are", () => {
  const restraint = new Restraint();
  for (let n = 0; n < 40; n += 1) {
    restraint.settled([{ kind: "createTask", task: aTask("web", `t${n}`, { slot: 1 }) }]);
  }
  assert.ok(restraint.holds("web" as ServiceId));
  const other = new Restraint();
  for (let n = 0; n < 40; n += 1) {
    other.settled([{ kind: "createTask", task: aTask("web", `t${n}`, { slot: n }) }]);
  }
  assert.ok(!other.holds("web" as ServiceId));
});
