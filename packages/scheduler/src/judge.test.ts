import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskId } from "@gam/core";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { judgeNodes } from "./judge.ts";

test("a task that runs is judged as if it were to be placed again", () => {
  const log = new TestLog();
  const template = {
    Placement: { MaxReplicas: 1 },
    Resources: { Reservations: { NanoCPUs: 3e9 } },
  };
  for (const id of ["a", "b", "c"]) log.write({ kind: "joinNode", node: aNode(id) });
  log.write(aService("web", { replicas: 2, template }));
  for (const [id, node, slot] of [
    ["one", "a", 1],
    ["two", "b", 2],
  ] as const) {
    log.write({ kind: "createTask", task: aTask("web", id, { node, slot, template }) });
  }
  const task = log.store.task("one" as TaskId);
  assert.ok(task);
  const verdicts = judgeNodes(log.store, task, { usage: new Map(), nowMs: log.nowMs });
  assert.deepEqual(
    verdicts.map(({ node, rank, obstacles }) => [node, rank, obstacles]),
    [
      ["a", 1, []],
      [
        "b",
        undefined,
        [
          "insufficient resources: CPUs: 3 asked, 1 of 4 free",
          "max replicas per node limit exceed: 1 run here, the limit is 1",
        ],
      ],
      ["c", 2, []],
    ],
  );
});
