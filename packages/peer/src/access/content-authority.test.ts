import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, SecretId, TaskId } from "@gam/core";
import type { TaskState } from "@gam/state";
import { aCluster, aNode, aSecret, aService, aTask, TestLog } from "@gam/state/testing";
import { refusalOfContents } from "./content-authority.ts";

const [hand, other, gone] = ["hand", "other", "gone"] as NodeId[] as [NodeId, NodeId, NodeId];
const [key, spare] = ["key", "spare"] as SecretId[] as [SecretId, SecretId];
const states: readonly TaskState[] = ["running", "complete", "pending"];

function aState(): TestLog {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() });
  for (const id of [hand, other, gone]) {
    log.write({ kind: "joinNode", node: aNode(id, { spec: { Role: "worker" } }) });
  }
  log.write({ kind: "removeNode", id: gone });
  for (const name of [key, spare]) log.write(aSecret(name));
  log.write(aService("web", { replicas: 3 }));
  for (const state of states) {
    const extra = { contents: { [key]: 1 } };
    const task = aTask("web", `a ${state} task`, { node: hand, state, extra });
    log.write({ kind: "createTask", task });
  }
  return log;
}

const { store } = aState();
const sender = { role: "worker", asOf: 0, hosts: new Set<string>() } as const;
const running = "a running task" as TaskId;

const cases: readonly (readonly [
  node: NodeId,
  task: string,
  contents: readonly { id: SecretId; content: number }[],
  want: string | undefined,
])[] = [
  [hand, running, [{ id: key, content: 1 }], undefined],
  [hand, running, [], undefined],
  [hand, running, [{ id: key, content: 2 }], "task a running task does not use it"],
  [hand, running, [{ id: spare, content: 1 }], "task a running task does not use it"],
  [
    hand,
    running,
    [
      { id: key, content: 1 },
      { id: spare, content: 1 },
    ],
    "task a running task does not use it",
  ],
  [hand, "a complete task", [{ id: key, content: 1 }], "task a complete task has ended"],
  [hand, "a pending task", [], "task a pending task was not assigned yet"],
  [hand, "no task", [], "there is no task no task"],
  [other, running, [{ id: key, content: 1 }], "task a running task is not its own"],
  [gone, running, [{ id: key, content: 1 }], "it is no member"],
];

test("a node may have what a task of its own uses, until the task has ended", () => {
  for (const [id, task, contents, want] of cases) {
    const asked = { task: task as TaskId, contents };
    assert.equal(refusalOfContents(store, { id, sender }, asked), want, `${id} ${task}`);
  }
});
