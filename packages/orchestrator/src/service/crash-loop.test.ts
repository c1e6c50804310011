/** Crash loops: one place whose tasks end again and again, and the times at which they are started. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { counterMint } from "@gam/core/testing";
import { isTerminal, type RestartPolicy, type Task, type TaskState } from "@gam/state";
import type { TestLog } from "@gam/state/testing";
import fc from "fast-check";
import { Orchestrator } from "../orchestrator.ts";
import { logOf, web } from "../plan-suite.ts";
import type { PlanFault } from "./fault.ts";

/** How one task ends. */
interface End {
  readonly state: Extract<TaskState, "failed" | "complete" | "rejected">;
  /** A rejected task never runs. */
  readonly ranMs: number;
}

interface Run {
  readonly policy?: RestartPolicy;
  readonly ends: readonly End[];
  /** Before which end the service is updated. */
  readonly updateBefore?: number;
  readonly faults?: readonly PlanFault[];
}

/** Returns: how long each successor waited, in milliseconds, until the place is given up or `ends` are over. */
function delaysOf({ policy, ends, updateBefore, faults = [] }: Run): number[] {
  const template = policy === undefined ? {} : { RestartPolicy: policy };
  const log = logOf({ nodes: [["a"]], service: { replicas: 1, template } });
  // Each plan is made by a new leader, so nothing is remembered outside of the state.
  const lead = (): void => {
    for (let changes = plan(log, faults); changes.length > 0; changes = plan(log, faults))
      log.write(...changes);
  };
  const delays: number[] = [];
  lead();
  for (const [n, { state, ranMs }] of ends.entries()) {
    if (n === updateBefore) update(log);
    lead();
    const task = wanted(log);
    if (task === undefined) break;
    const status = (State: TaskState) => ({ State, Timestamp: new Date(log.nowMs).toISOString() });
    log.write({ kind: "assignTask", id: task.ID, node: nodeOf(log), status: status("assigned") });
    if (state !== "rejected") {
      log.write({ kind: "reportTask", id: task.ID, status: status("running") });
      log.nowMs += ranMs;
    }
    log.write({ kind: "reportTask", id: task.ID, status: status(state) });
    const endedMs = log.nowMs;
    lead();
    const next = wanted(log);
    if (next === undefined) break;
    log.nowMs = Math.max(log.nowMs, next.Gam.startAfterMs);
    delays.push(log.nowMs - endedMs);
  }
  return delays;
}

function plan(log: TestLog, faults: readonly PlanFault[]) {
  const orchestrator = new Orchestrator(counterMint(`n${log.store.index}x`), new Set(faults));
  orchestrator.noticeAll();
  return orchestrator.plan(log.store, { nowMs: log.nowMs, verdicts: new Map() });
}

function nodeOf(log: TestLog) {
  const [node] = log.store.nodes();
  assert.ok(node);
  return node.ID;
}

function wanted(log: TestLog): Task | undefined {
  return log.store
    .tasksOf(web)
    .find(({ DesiredState, Status }) => DesiredState !== "shutdown" && !isTerminal(Status.State));
}

function update(log: TestLog): void {
  const service = log.store.service(web);
  assert.ok(service);
  const ContainerSpec = { Image: `tiny:${log.store.index}` };
  const spec = { ...service.Spec, TaskTemplate: { ...service.Spec.TaskTemplate, ContainerSpec } };
  log.write({ kind: "updateService", id: web, spec, basedOn: service.Version.Index });
}

const crash: End = { state: "failed", ranMs: 10 };
const refused: End = { state: "rejected", ranMs: 0 };
const healthy: End = { state: "failed", ranMs: 60_000 };
const many = (end: End, count: number): End[] => Array.from({ length: count }, () => end);

const rows: readonly (Run & { readonly name: string; readonly wantS: readonly number[] })[] = [
  {
    name: "doubles the delay of what crashes, up to five minutes",
    ends: many(crash, 9),
    wantS: [5, 5, 5, 10, 20, 40, 80, 160, 300],
  },
  {
    name: "does the same for what cannot be prepared",
    ends: many(refused, 5),
    wantS: [5, 5, 5, 10, 20],
  },
  {
    name: "does the same for what ends with success",
    ends: many({ state: "complete", ranMs: 10 }, 5),
    wantS: [5, 5, 5, 10, 20],
  },
  {
    name: "begins with the policy's delay",
    policy: { Delay: 1e9 },
    ends: many(crash, 5),
    wantS: [1, 1, 1, 2, 4],
  },
  {
    name: "begins at once, if the policy says so, and not for long",
    policy: { Delay: 0 },
    ends: many(crash, 5),
    wantS: [0, 0, 0, 2, 4],
  },
  {
    name: "begins again after a healthy run",
    ends: [...many(crash, 4), healthy, ...many(crash, 4)],
    wantS: [5, 5, 5, 10, 5, 5, 5, 10, 20],
  },
  {
    name: "begins again with a new template",
    ends: many(crash, 8),
    updateBefore: 4,
    wantS: [5, 5, 5, 10, 5, 5, 5, 10],
  },
  {
    name: "gives up after as many attempts as before",
    policy: { MaxAttempts: 5 },
    ends: many(crash, 9),
    wantS: [5, 5, 5, 10, 20],
  },
  {
    name: "gives up after as many attempts in a window as before",
    policy: { MaxAttempts: 3, Window: 60e9 },
    ends: many(crash, 9),
    wantS: [5, 5, 5],
  },
];
for (const { name, wantS, ...run } of rows) {
  test(`a restart ${name}`, () => {
    assert.deepEqual(
      delaysOf(run).map((delayMs) => delayMs / 1000),
      wantS,
    );
  });
}

/** Errors: AssertionError for a delay that is not the policy's three times, and then twice as long each time. */
function checkDelays(faults: readonly PlanFault[]): void {
  const ends = fc.array(fc.constantFrom(crash, refused, healthy), { minLength: 4, maxLength: 12 });
  fc.assert(
    fc.property(ends, fc.integer({ min: 0, max: 400 }), (ends, delayS) => {
      const delays = delaysOf({ policy: { Delay: delayS * 1e9 }, ends, faults });
      assert.equal(delays.length, ends.length);
      let inRow = 0;
      for (const [n, delayMs] of delays.entries()) {
        inRow = ends[n] === healthy ? 1 : inRow + 1;
        const policyMs = delayS * 1000;
        const doubledMs = Math.min(Math.max(policyMs, 1000) * 2 ** (inRow - 3), 300_000);
        assert.equal(delayMs, inRow <= 3 ? policyMs : Math.max(policyMs, doubledMs));
      }
    }),
    { numRuns: 60 },
  );
}

test("the delay of any history is the policy's three times, then twice the last one, and at most five minutes", () => {
  checkDelays([]);
});

test("the check finds a leader that forgets crashes", () => {
  assert.throws(() => checkDelays(["crashes-forgotten"]));
});
