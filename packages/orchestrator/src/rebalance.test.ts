/** The end of a move, as the leader's plan sees it. Which moves begin: scheduler/src/rebalance.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ServiceId, TaskId } from "@gam/core";
import { counterMint } from "@gam/core/testing";
import { aCluster, aNode, aService, aTask, type TaskWish, TestLog } from "@gam/state/testing";
import { planRebalance } from "./rebalance.ts";

const [a, b] = ["a", "b"] as [NodeId, NodeId];
const web = "web" as ServiceId;

const rows: readonly (readonly [string, TaskWish, TaskWish, readonly string[]])[] = [
  ["goes on while both are there", {}, { state: "pending" }, []],
  ["drops a successor that waits", { state: "failed" }, { state: "pending" }, ["new gone", "end"]],
  ["keeps a successor that has a place", { state: "failed" }, { state: "starting" }, ["end"]],
];

for (const [title, source, successor, want] of rows) {
  test(`a move whose task may have ended ${title}`, () => {
    const log = new TestLog();
    log.write({ kind: "createCluster", cluster: aCluster() });
    for (const id of ["a", "b"]) log.write({ kind: "joinNode", node: aNode(id) });
    log.write(aService("web", { replicas: 1 }));
    log.write(
      { kind: "createTask", task: aTask("web", "old", { slot: 1, node: "a", ...source }) },
      { kind: "createTask", task: aTask("web", "new", { slot: 1, node: "b", ...successor }) },
    );
    const ids = { service: web, task: "old" as TaskId, successor: "new" as TaskId };
    const basedOn = log.store.service(web)?.Version.Index ?? 0;
    const open = [{ ...ids, from: a, to: b, reason: "test", basedOn, atMs: log.nowMs }];
    log.write({ kind: "noteRebalance", basedOn: 0, open, past: [], isAsked: false });
    const facts = { nowMs: log.nowMs, mint: counterMint("x"), usage: new Map() };
    const planned = planRebalance(log.store, { ...facts, hot: new Set() });
    const shown = planned.map((change) =>
      change.kind === "removeTask" ? `${change.id} gone` : "end",
    );
    assert.deepEqual(shown, want);
  });
}
