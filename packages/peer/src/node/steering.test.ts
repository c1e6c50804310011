import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, NodeId, TaskId } from "@gam/core";
import { aNetwork, aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { Steering } from "./steering.ts";

const [a, b, c] = ["a", "b", "c"] as NodeId[] as [NodeId, NodeId, NodeId];
const t1 = "t1" as TaskId;
const attachments = [{ network: "front" as NetworkId, address: "10.0.1.7" }];

/** Node a's instance, in a cluster of three, with a task on b. */
function world(): { log: TestLog; steering: Steering } {
  const log = new TestLog();
  for (const id of [a, b, c]) log.write({ kind: "joinNode", node: aNode(id) });
  log.write({ kind: "createNetwork", network: aNetwork("front") });
  log.write(aService("web"));
  const task = aTask("web", t1, { node: b, extra: { attachments } });
  log.write({ kind: "createTask", task });
  return { log, steering: new Steering(a) };
}

test("a node with a leaving task gets a message once the plan without the task is in force", () => {
  const { log, steering } = world();
  steering.planned(log.store);
  const { index } = log.store;
  assert.deepEqual(steering.arranged(index), [], "no task leaves");
  log.write({ kind: "desireTask", id: t1, desired: "shutdown" });
  steering.planned(log.store);
  assert.deepEqual(steering.arranged(index), [], "that is the plan before");
  assert.deepEqual(steering.arranged(log.store.index), [b]);
  assert.deepEqual(steering.arranged(log.store.index), [], "it has the message already");
});

test("a node that got a message for one plan gets one for the next as well", () => {
  const { log, steering } = world();
  log.write({ kind: "desireTask", id: t1, desired: "shutdown" });
  const { index } = log.store;
  steering.planned(log.store);
  log.write(aService("other"));
  steering.planned(log.store);
  assert.deepEqual(steering.arranged(index), [b]);
  assert.deepEqual(steering.arranged(log.store.index), [b]);
});

test("of several plans in a row the last answers for all", () => {
  const { log, steering } = world();
  log.write({ kind: "desireTask", id: t1, desired: "shutdown" });
  steering.planned(log.store);
  log.write({ kind: "removeTask", id: t1 });
  steering.planned(log.store);
  assert.deepEqual(steering.arranged(log.store.index), [b]);
});

test("all nodes that are up count, each with its last plan", () => {
  const { log, steering } = world();
  assert.equal(steering.reached(log.store), 0, "no node has reported");
  steering.arranged(9);
  steering.heard(b, 8);
  steering.heard(b, 7);
  assert.equal(steering.reached(log.store), 0, "c has not");
  steering.heard(c, 5);
  assert.equal(steering.reached(log.store), 5);
  log.write({ kind: "judgeNode", id: c, status: { State: "disconnected", Message: "no engine" } });
  assert.equal(steering.reached(log.store), 5, "its filter works without the engine");
  log.write({ kind: "judgeNode", id: c, status: { State: "down", Message: "lost" } });
  assert.equal(steering.reached(log.store), 8, "c is down: older messages of b change nothing");
  log.write({ kind: "removeNode", id: b });
  assert.equal(steering.reached(log.store), 9, "only a itself is left");
});
