import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import type { Task, TaskFailures, TaskState } from "../objects/task.ts";
import { aService, aTask, TestLog } from "../testing/index.ts";
import { failedOn, failedOnMax } from "./failed-on.ts";

const nowMs = 1_000_000_000_000;
const at = (agoMs: number): string => new Date(nowMs - agoMs).toISOString();
const on = (node: string, weight: number, agoMs: number): TaskFailures => ({
  node: node as NodeId,
  weight,
  atMs: nowMs - agoMs,
});

function ended(state: TaskState, agoMs: number, before: readonly TaskFailures[] = []): Task {
  const log = new TestLog();
  const made = aTask("web", "t1", { node: "a", extra: { failedOn: before } });
  log.write(aService("web"), { kind: "createTask", task: made });
  const [task] = log.store.tasks();
  assert.ok(task !== undefined);
  return { ...task, Status: { Timestamp: at(agoMs), State: state } };
}

const cases: readonly { name: string; task: Task; want: readonly TaskFailures[] }[] = [
  { name: "nothing for a task that runs", task: ended("running", 0), want: [] },
  { name: "nothing for a task that completed", task: ended("complete", 0), want: [] },
  { name: "one for a failure", task: ended("failed", 10), want: [on("a", 1, 10)] },
  { name: "two for a rejection", task: ended("rejected", 10), want: [on("a", 2, 10)] },
  {
    name: "the node's failures before it, too, the latest last",
    task: ended("failed", 10, [on("a", 3, 900), on("b", 1, 500)]),
    want: [on("b", 1, 500), on("a", 4, 10)],
  },
  {
    name: "nothing of more than five minutes ago",
    task: ended("running", 10, [on("a", 3, 300_000), on("b", 1, 299_999)]),
    want: [on("b", 1, 299_999)],
  },
  { name: "nothing for an own failure so long ago", task: ended("failed", 300_000), want: [] },
];

for (const { name, task, want } of cases) {
  test(`failedOn() has ${name}`, () => {
    assert.deepEqual(failedOn(task, nowMs), want);
  });
}

test("failedOn() keeps the latest nodes only", () => {
  const before = Array.from({ length: failedOnMax }, (_, n) => on(`n${n}`, 1, 1000 - n));
  const record = failedOn(ended("failed", 1, before), nowMs);
  assert.equal(record.length, failedOnMax);
  assert.deepEqual(record.at(0), before[1]);
  assert.deepEqual(record.at(-1), on("a", 1, 1));
});
