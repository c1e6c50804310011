import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, TaskId, VolumeName } from "@gam/core";
import { counterMint } from "@gam/core/testing";
import type { Change, PlannedChange } from "@gam/state";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { planMoves } from "./moves.ts";
import { Orchestrator } from "./orchestrator.ts";

const id = "data" as VolumeName;
const [a, b] = ["a", "b"] as [NodeId, NodeId];
const Mounts = [{ Type: "volume" as const, Source: "data", Target: "/data" }];
const template = { ContainerSpec: { Image: "db:1", Mounts } };
const status = { Timestamp: "2026-01-01T00:00:00.000Z", State: "assigned" } as const;

/** A database that runs on a, while its volume is moved to b. */
function moving(): TestLog {
  const log = new TestLog();
  log.write({ kind: "joinNode", node: aNode("a") }, { kind: "joinNode", node: aNode("b") });
  log.write(aService("db", { template }));
  const templateVersion = log.store.services()[0]?.Gam.templateVersion ?? 0;
  const extra = { templateVersion };
  log.write({ kind: "createTask", task: aTask("db", "t1", { slot: 1, template, extra }) });
  log.write({ kind: "assignTask", id: "t1" as TaskId, node: a, status });
  const running = { ...status, State: "running" } as const;
  log.write({ kind: "reportTask", id: "t1" as TaskId, status: running });
  log.write({ kind: "moveVolume", id, move: "m", from: a, to: b });
  return log;
}

const plan = (log: TestLog): readonly PlannedChange[] => {
  const orchestrator = new Orchestrator(counterMint("t"));
  orchestrator.noticeAll();
  return orchestrator.plan(log.store, { nowMs: log.nowMs, verdicts: new Map() });
};

test("a task leaves the node from which its volume moves, and its successor awaits it", () => {
  const log = moving();
  const planned = plan(log);
  assert.deepEqual(
    planned.map((change) => {
      return change.kind === "createTask" ? `after ${change.task.Gam.after}` : change.kind;
    }),
    ["desireTask", "after t1"],
  );
  log.write(...(planned as Change[]));
  assert.deepEqual(plan(log), []);
});

test("a move is given up when the new node is down, and not when the old one is", () => {
  const log = moving();
  assert.deepEqual(planMoves(log.store), []);
  log.write({ kind: "judgeNode", id: a, status: { State: "down" } });
  assert.deepEqual(planMoves(log.store), []);
  log.write({ kind: "judgeNode", id: b, status: { State: "down" } });
  const [change] = planMoves(log.store);
  assert.deepEqual(change, {
    ...{ kind: "abandonVolumeMove", id, move: "m" },
    error: "host-b is down",
  });
  log.write(change as Change);
  assert.deepEqual(planMoves(log.store), []);
});
