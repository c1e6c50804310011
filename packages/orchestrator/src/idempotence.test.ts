/** The laws of plans, on random states, including states that no history leads to. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId } from "@gam/core";
import { counterMint } from "@gam/core/testing";
import type { Change, DesiredState, PlannedChange, ServiceMode, TaskState } from "@gam/state";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";
import fc from "fast-check";
import { Orchestrator } from "./orchestrator.ts";

const web = "web" as ServiceId;
const names = ["a", "b", "c"];

const modes: readonly ServiceMode[] = [
  { Replicated: { Replicas: 0 } },
  { Replicated: { Replicas: 2 } },
  { Replicated: { Replicas: 4 } },
  { Global: {} },
  { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 3 } },
  { GlobalJob: {} },
];
const nodes = fc.record({
  state: fc.constantFrom("ready", "ready", "down", "disconnected", "unknown"),
  Availability: fc.constantFrom("active", "active", "pause", "drain"),
  removed: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
});
const tasks = fc.record({
  slot: fc.integer({ min: 0, max: 4 }),
  node: fc.constantFrom(...names, undefined),
  state: fc.constantFrom<TaskState>(
    "assigned",
    "ready",
    "running",
    "complete",
    "failed",
    "shutdown",
  ),
  desired: fc.constantFrom<DesiredState>(
    "ready",
    "running",
    "running",
    "complete",
    "shutdown",
    "remove",
  ),
  templateVersion: fc.constantFrom(1, 2),
  restart: fc.boolean(),
  run: fc.integer({ min: 0, max: 2 }),
});
const worlds = fc.record({
  mode: fc.constantFrom(...modes),
  updated: fc.boolean(),
  cron: fc.constantFrom("", "", "* * * * *", "*/9 * * * * *"),
  concurrency: fc.constantFrom("forbid", "allow", "replace"),
  order: fc.constantFrom<("stop-first" | "start-first")[]>("stop-first", "start-first"),
  parallelism: fc.integer({ min: 0, max: 2 }),
  condition: fc.constantFrom<("none" | "on-failure" | "any")[]>("none", "on-failure", "any"),
  attemptsMax: fc.integer({ min: 0, max: 2 }),
  /** Of a job, begun by hand. */
  runs: fc.integer({ min: 0, max: 2 }),
  nodes: fc.tuple(nodes, nodes, nodes),
  tasks: fc.array(tasks, { maxLength: 12 }),
  nowS: fc.constantFrom(1, 10, 100),
});
type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

function logOf(world: World): TestLog {
  const log = new TestLog();
  const { spec } = aService("web", {
    mode: world.mode,
    template: { RestartPolicy: { Condition: world.condition, MaxAttempts: world.attemptsMax } },
    spec: {
      UpdateConfig: { Order: world.order, Parallelism: world.parallelism },
      Labels: { "gam.cron": world.cron, "gam.cron.concurrency": world.concurrency },
    },
  });
  const made = { ...aService("web"), spec };
  log.write(
    made,
    ...world.nodes.map(({ state, Availability }, n): Change => {
      const node = aNode(names[n] ?? "", { state, spec: { Availability } });
      return { kind: "joinNode", node };
    }),
  );
  if (world.updated) {
    const ContainerSpec = { Image: "tiny:2" };
    const next = { ...spec, TaskTemplate: { ...spec.TaskTemplate, ContainerSpec } };
    log.write({ kind: "updateService", id: web, spec: next, basedOn: 1 });
  }
  for (let runs = 0; runs < world.runs; runs += 1) log.write({ kind: "runJob", id: web });
  const perNode = world.mode.Global !== undefined || world.mode.GlobalJob !== undefined;
  for (const [
    n,
    { slot, node, state, desired, templateVersion, restart, run },
  ] of world.tasks.entries()) {
    if (perNode && node === undefined) continue;
    const place = { ...(!perNode && { slot }), ...(node !== undefined && { node }) };
    const template = { ContainerSpec: { Image: `tiny:${templateVersion}` } };
    const wish = { ...place, desired, template, extra: { templateVersion, restart } };
    const task = aTask("web", `t${n}`, { ...wish, state: node === undefined ? "pending" : state });
    const JobIteration = run === 0 ? {} : { Index: run };
    log.write({ kind: "createTask", task: { ...task, JobIteration } });
  }
  for (const [n, { removed }] of world.nodes.entries()) {
    const [id] = log.store.nodes().filter(({ ID }) => ID === names[n]);
    if (removed && id !== undefined) log.write({ kind: "removeNode", id: id.ID });
  }
  log.nowMs += 1000 * world.nowS;
  return log;
}

function plan(log: TestLog, prefix: string): PlannedChange[] {
  const orchestrator = new Orchestrator(counterMint(prefix));
  orchestrator.noticeAll();
  return orchestrator.plan(log.store, { nowMs: log.nowMs, verdicts: new Map() });
}

/** On impossible states, one plan may reveal what the next has to clear up. */
const plansMax = 4;

test("repeated planning ends, from any state", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const log = logOf(world);
      const trace: PlannedChange[][] = [];
      for (;;) {
        const changes = plan(log, `x${trace.length}`);
        if (changes.length === 0) return;
        trace.push(changes);
        assert.ok(trace.length <= plansMax, JSON.stringify(trace, null, 1));
        log.write(...changes);
      }
    }),
    { numRuns: 1000 },
  );
});

test("every change of a plan changes something, once", () => {
  fc.assert(
    fc.property(worlds, (world) => {
      const log = logOf(world);
      for (const change of plan(log, "x")) {
        assert.equal(log.write(change).events.length, 1, JSON.stringify(change));
      }
    }),
    { numRuns: 500 },
  );
});
