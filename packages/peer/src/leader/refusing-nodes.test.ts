/** The plans of the leader together, where some nodes refuse the tasks of a service. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { counterMint } from "@gam/core/testing";
import { Orchestrator } from "@gam/orchestrator";
import { planPlacement } from "@gam/scheduler";
import { isTerminal, type Task } from "@gam/state";
import { aNode, aService, TestLog } from "@gam/state/testing";

interface Row {
  readonly name: string;
  readonly refusing: number;
  readonly replicas: number;
  readonly end: "rejected" | "failed";
  /** Units: seconds, with a restart delay of half a second. */
  readonly withinS: number;
}

const rows: readonly Row[] = [
  { name: "2 of 3 reject", refusing: 2, replicas: 2, end: "rejected", withinS: 5 },
  { name: "2 of 3 fail", refusing: 2, replicas: 2, end: "failed", withinS: 10 },
  { name: "4 of 5 reject", refusing: 4, replicas: 2, end: "rejected", withinS: 10 },
  { name: "12 of 13 reject", refusing: 12, replicas: 5, end: "rejected", withinS: 30 },
];

const stepMs = 250;

for (const { name, refusing, replicas, end, withinS } of rows) {
  test(`all ${replicas} tasks reach the node that runs them where ${name}`, () => {
    const log = new TestLog();
    const nodes = Array.from({ length: refusing + 1 }, (_, n) => aNode(`n${n}`));
    const good = nodes.at(-1)?.ID;
    log.write(...nodes.map((node) => ({ kind: "joinNode", node }) as const));
    const RestartPolicy = { Condition: "any", Delay: 500_000_000 } as const;
    log.write(aService("web", { replicas, template: { RestartPolicy } }));
    const orchestrator = new Orchestrator(counterMint("new"));
    orchestrator.noticeAll();
    const running = (): Task[] =>
      log.store.tasks().filter(({ Status }) => Status.State === "running");
    const beganMs = log.nowMs;
    while (running().length < replicas) {
      assert.ok(log.nowMs - beganMs < withinS * 1000, `${running().length} run`);
      log.nowMs += stepMs;
      orchestrator.noticeAll();
      log.write(...orchestrator.plan(log.store, { nowMs: log.nowMs, verdicts: new Map() }));
      log.write(...planPlacement(log.store, { usage: new Map(), nowMs: log.nowMs }));
      const due = log.store.tasks().filter(({ NodeID, Status, DesiredState }) => {
        return NodeID !== undefined && DesiredState === "running" && !isTerminal(Status.State);
      });
      for (const { ID, NodeID } of due) {
        const Timestamp = new Date(log.nowMs).toISOString();
        const State = NodeID === good ? "running" : end;
        log.write({ kind: "reportTask", id: ID, status: { Timestamp, State } });
      }
    }
  });
}
