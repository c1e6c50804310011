import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceId } from "@gam/core";
import type { Change, PlannedChange, Task } from "@gam/state";
import { aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { autoscaleEveryMs, planAutoscale } from "./autoscale.ts";

const web = "web" as ServiceId;
const startMs = Date.UTC(2026, 0, 1);

interface Case {
  readonly title: string;
  readonly replicas: number;
  readonly labels?: Record<string, string>;
  /** CPU of each running task, in percent of its core; undefined: it says nothing; "starts": not running yet; "new": running since a moment ago, and busy. */
  readonly cpu: readonly (number | undefined | "starts" | "new")[];
  /** The number that is asked for; undefined: no change. */
  readonly want: number | undefined;
  readonly reason?: string;
}

const cases: readonly Case[] = [
  { title: "a load at its target", replicas: 2, cpu: [50, 50], want: undefined },
  { title: "a load a tenth above", replicas: 2, cpu: [55, 55], want: undefined },
  { title: "a load a tenth below", replicas: 10, cpu: Array(10).fill(45), want: undefined },
  {
    title: "a load more than a tenth above",
    replicas: 2,
    cpu: [60, 52],
    want: 3,
    reason: "cpu at 56% of 2 tasks, target 50%",
  },
  { title: "three times the load", replicas: 2, cpu: [150, 150], want: 6 },
  { title: "more than doubled, and four more", replicas: 2, cpu: [400, 400], want: 6 },
  { title: "more than the maximum", replicas: 8, cpu: Array(8).fill(100), want: 10 },
  {
    title: "a half of the load",
    replicas: 4,
    cpu: [25, 25, 25, 25],
    want: 2,
    reason: "cpu at 25% of 4 tasks, target 50%, for 0 s",
  },
  { title: "nothing to do", replicas: 4, cpu: [0, 0, 0, 0], want: 1 },
  {
    title: "fewer than the minimum",
    labels: { "gam.autoscale.min": "3" },
    replicas: 4,
    cpu: [0, 0, 0, 0],
    want: 3,
  },
  { title: "nobody says anything", replicas: 2, cpu: [undefined, undefined], want: undefined },
  {
    title: "one is silent, more load: it counts as idle",
    replicas: 2,
    cpu: [100, undefined],
    want: undefined,
  },
  { title: "one is silent, much more load", replicas: 2, cpu: [160, undefined], want: 4 },
  {
    title: "one is silent, less load: it counts as busy",
    replicas: 4,
    cpu: [10, 10, 10, undefined],
    want: 3,
  },
  { title: "one is silent of two, less load", replicas: 2, cpu: [1, undefined], want: undefined },
  { title: "one starts, more load", replicas: 2, cpu: [100, "starts"], want: undefined },
  { title: "one starts, much more load", replicas: 2, cpu: [200, "starts"], want: 4 },
  { title: "one has just started and is busy", replicas: 2, cpu: [50, "new"], want: undefined },
  { title: "a service that was stopped", replicas: 0, cpu: [], want: undefined },
];

const labels = {
  "gam.autoscale.max": "10",
  "gam.autoscale.cpu": "50%",
  "gam.autoscale.down.window": "0s",
};

function logOf({ replicas, cpu, ...wish }: Case): TestLog {
  const log = new TestLog();
  log.nowMs = startMs;
  const spec = { Labels: { ...labels, ...wish.labels } };
  log.write({ kind: "joinNode", node: aNode("a") }, aService("web", { replicas, spec }));
  const tasks = cpu.map((one, index): Change => {
    const slot = index + 1;
    const state = one === "starts" ? "starting" : "running";
    const extra = one === "new" ? { startedAtMs: startMs } : {};
    const task = aTask("web", `t${slot}`, { slot, node: "a", state, extra });
    return { kind: "createTask", task };
  });
  if (tasks.length > 0) log.write(...tasks);
  return log;
}

function plan(log: TestLog, cpu: Case["cpu"]): PlannedChange[] {
  return planAutoscale(log.store, {
    nowMs: log.nowMs,
    loadOf: ({ Slot = 0 }: Task) => {
      const said = cpu[Slot - 1];
      const percent = said === "new" ? 400 : said;
      const isSaid = typeof percent === "number";
      return isSaid ? { cpu: percent / 100, memoryBytes: 0 } : undefined;
    },
  });
}

for (const one of cases) {
  const { want, reason } = one;
  test(`autoscale: ${one.title}`, () => {
    const log = logOf(one);
    const to = (): number => log.store.service(web)?.Spec.Mode.Replicated?.Replicas ?? 1;
    const decisions = () => log.store.service(web)?.Gam.autoscale?.decisions ?? [];
    // The first look only begins the windows.
    for (let looks = 0; looks < 2 && decisions().length === 0; looks += 1) {
      log.write(...plan(log, one.cpu));
      log.nowMs += autoscaleEveryMs;
    }
    assert.equal(to(), want ?? one.replicas);
    assert.equal(decisions().length, want === undefined ? 0 : 1);
    if (reason !== undefined) assert.equal(decisions()[0]?.reason, reason);
  });
}

test("autoscale: the greatest of several targets counts, and one that is unknown removes nothing", () => {
  const more = { "gam.autoscale.requests": "20" };
  const ask = (replicas: number, cpu: number, requests: number | undefined) => {
    const log = logOf({ title: "", replicas, cpu: Array(replicas).fill(0), labels: more, want: 0 });
    const loadOf = () => ({ cpu: cpu / 100, memoryBytes: 0, requests });
    for (let looks = 0; looks < 2; looks += 1) {
      log.write(...planAutoscale(log.store, { nowMs: log.nowMs, loadOf }));
      log.nowMs += autoscaleEveryMs;
    }
    const { Spec, Gam } = log.store.service(web) ?? assert.fail();
    return [Spec.Mode.Replicated?.Replicas, Gam.autoscale?.decisions.at(-1)?.reason];
  };
  assert.deepEqual(ask(2, 50, 40), [4, "requests at 40/s of 2 tasks, target 20/s"]);
  assert.deepEqual(ask(4, 5, 10), [2, "requests at 10/s of 4 tasks, target 20/s, for 0 s"]);
  assert.deepEqual(ask(4, 5, undefined), [4, undefined]);
});

test("autoscale: a number of the whole service is divided among its tasks", () => {
  const labels = {
    "gam.autoscale.prometheus.url": "http://prom",
    "gam.autoscale.prometheus.query": "queue_length",
    "gam.autoscale.prometheus.target": "10",
  };
  const ask = (replicas: number, total: number | undefined, cpu = 0) => {
    const log = logOf({ title: "", replicas, cpu: Array(replicas).fill(cpu), labels, want: 0 });
    const loadOf = () => ({ cpu: cpu / 100, memoryBytes: 0 });
    for (let looks = 0; looks < 2; looks += 1) {
      log.write(...planAutoscale(log.store, { nowMs: log.nowMs, loadOf, totalOf: () => total }));
      log.nowMs += autoscaleEveryMs;
    }
    const { Spec, Gam } = log.store.service(web) ?? assert.fail();
    return [Spec.Mode.Replicated?.Replicas, Gam.autoscale?.decisions.at(-1)?.reason];
  };
  assert.deepEqual(ask(3, 41), [5, "prometheus says 41, target 10 for each task"]);
  assert.deepEqual(ask(4, 41), [4, undefined], "within a tenth");
  assert.deepEqual(ask(4, 11), [2, "prometheus says 11, target 10 for each task, for 0 s"]);
  assert.deepEqual(ask(4, -1e12)[0], 1, "a number below 0 asks for none");
  assert.deepEqual(ask(4, 1e15)[0], 10, "no more than the maximum");
  assert.deepEqual(ask(4, undefined), [4, undefined], "what is not known may need all of them");
});
