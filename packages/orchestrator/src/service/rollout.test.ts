/** How two versions of a service run side by side. The old version is 1, the new one 2. */
import type { TaskId } from "@gam/core";
import type { Rollout } from "@gam/state";
import { aRollout, type ServiceWish } from "@gam/state/testing";
import { on, planSuite, type Row, second, startMs } from "../plan-suite.ts";

const canary = (labels: Record<string, string> = {}, replicas = 4): ServiceWish => ({
  replicas,
  spec: {
    Labels: { "gam.rollout": "canary", "gam.rollout.steps": "25%:10s, 50%", ...labels },
  },
});
const blueGreen: ServiceWish = {
  replicas: 2,
  spec: { Labels: { "gam.rollout": "bluegreen", "gam.rollout.switch": "10s" } },
};
const at = (change: Partial<Rollout> = {}): { rollout: Rollout } => ({
  rollout: aRollout({ version: 2, base: 1, sinceMs: startMs, ...change }),
});
const old = [1, 2, 3, 4].map((slot) => [`t${slot}`, on("a", slot)] as const);
const fresh = (...slots: readonly number[]) =>
  slots.map((slot) => [`n${slot}`, on("b", slot, { extra: second })] as const);
const unstarted = { state: "starting", extra: { templateVersion: 2 } } as const;
const failed = { state: "failed", desired: "shutdown", extra: second } as const;

const rows: readonly Row[] = [
  {
    name: "begins a canary with enough tasks for its weight, and stops no old one",
    service: canary(),
    imageBefore: "tiny:0",
    tasks: old,
    want: ["create 1 running", "rollout 0 starting 0% []: updating"],
  },
  {
    name: "gives a canary its weight when its tasks run",
    service: canary(),
    imageBefore: "tiny:0",
    tasks: [...old, ...fresh(1)],
    update: at(),
    want: ["rollout 0 watching 25% []: updating"],
  },
  {
    name: "gives a canary no weight while a task is starting",
    service: canary({ "gam.rollout.steps": "50%:10s" }),
    imageBefore: "tiny:0",
    tasks: [...old, ...fresh(1), ["n2", on("b", 2, unstarted)]],
    update: at(),
    want: ["rollout 0 starting 0% []: updating"],
  },
  {
    name: "begins the next step of a canary after its time",
    service: canary(),
    imageBefore: "tiny:0",
    tasks: [...old, ...fresh(1)],
    update: at({ phase: "watching", weight: 25 }),
    nowS: 10,
    want: ["rollout 1 starting 25% []: updating"],
    again: ["create 2 running"],
  },
  {
    name: "lets a person end a step without a time",
    service: canary(),
    imageBefore: "tiny:0",
    tasks: [...old, ...fresh(1, 2)],
    update: at({ phase: "watching", weight: 50, step: 1 }),
    nowS: 1000,
    want: ["rollout 1 watching 50% []: paused"],
  },
  {
    name: "starts all new tasks at the last step, and stops no old one",
    service: canary(),
    imageBefore: "tiny:0",
    tasks: [...old, ...fresh(1, 2)],
    update: at({ phase: "starting", weight: 50, step: 2 }),
    want: ["create 3 running", "create 4 running", "rollout 2 starting 50% []: updating"],
  },
  {
    name: "completes a canary when all connections go to the new version",
    service: canary(),
    imageBefore: "tiny:0",
    tasks: [...old, ...fresh(1, 2, 3, 4)],
    update: at({ phase: "watching", weight: 100, step: 2 }),
    want: ["rollout 2 completed [1,2,3,4]: completed"],
    again: ["t1 shutdown", "t2 shutdown", "t3 shutdown", "t4 shutdown"],
  },
  {
    name: "rolls a canary back when a task of it fails",
    service: canary(),
    imageBefore: "tiny:0",
    tasks: [...old, ["n1", on("b", 1, failed)]],
    update: at({ phase: "watching", weight: 25 }),
    want: [
      "create 1 ready at 5 restart",
      "rollback: canary rolled back at 25 %: task n1 ended: failed",
    ],
  },
  {
    name: "lets a canary have the failures that its owner allows, each counted once",
    service: canary({ "gam.rollout.failures": "1" }),
    imageBefore: "tiny:0",
    tasks: [...old, ["n1", on("b", 1, failed)], ["m1", on("b", 1, { extra: second })]],
    update: at({ phase: "watching", weight: 25 }),
    want: ["rollout 0 watching 25% failed 1 []: updating"],
  },
  {
    name: "rolls back a canary whose failed task is gone",
    service: canary({ "gam.rollout.failures": "1" }),
    imageBefore: "tiny:0",
    tasks: [...old, ["n1", on("b", 1, failed)], ["m1", on("b", 1, { extra: second })]],
    update: at({ phase: "watching", weight: 25, failed: ["n0" as TaskId] }),
    want: ["rollback: canary rolled back at 25 %: task n1 and 1 more before ended: failed"],
  },
  {
    name: "rolls back a canary whose tasks do not come up in time",
    service: canary({ "gam.rollout.deadline": "1m" }),
    imageBefore: "tiny:0",
    tasks: [...old, ["n1", on("b", 1, unstarted)]],
    update: at(),
    nowS: 60,
    want: ["rollback: canary rolled back at 0 %: after 60 s 0 of 1 new tasks run"],
  },
  {
    name: "holds the deadline in a pause, but not what fails",
    service: canary(),
    imageBefore: "tiny:0",
    tasks: [...old, ["n1", on("b", 1, failed)]],
    update: at({ paused: { atMs: startMs, by: "person" } }),
    nowS: 3600,
    want: [
      "create 1 ready at 3605 restart",
      "rollback: canary rolled back at 0 %: task n1 ended: failed",
    ],
  },
  {
    name: "restarts old tasks by the old spec while a canary runs",
    service: canary(),
    imageBefore: "tiny:0",
    tasks: [...old.slice(0, 3), ["t4", on("a", 4, { state: "failed" })], ...fresh(1)],
    update: at({ phase: "watching", weight: 25 }),
    nowS: 1,
    want: ["t4 shutdown", "create 4 ready at 6 restart", "rollout 0 watching 25% []: updating"],
  },
  {
    name: "waits for other services before the first task of a canary",
    service: canary({ "gam.depends_on": "db" }),
    imageBefore: "tiny:0",
    tasks: old,
    want: ["rollout 0 starting 0% []: updating"],
  },
  {
    name: "runs the whole new set beside the old one before it switches",
    service: blueGreen,
    imageBefore: "tiny:0",
    tasks: old.slice(0, 2),
    want: ["create 1 running", "create 2 running", "rollout 0 starting 0% []: updating"],
  },
  {
    name: "watches the new set without connections, then switches",
    service: blueGreen,
    imageBefore: "tiny:0",
    tasks: [...old.slice(0, 2), ...fresh(1, 2)],
    update: at({ strategy: "bluegreen", phase: "watching" }),
    nowS: 10,
    want: ["rollout 1 starting 0% []: updating"],
    again: ["rollout 1 watching 100% []: updating"],
  },
  {
    name: "keeps the old set for a while after the switch",
    service: blueGreen,
    imageBefore: "tiny:0",
    tasks: [...old.slice(0, 2), ...fresh(1, 2)],
    update: at({ strategy: "bluegreen", phase: "watching", weight: 100, step: 1 }),
    nowS: 299,
    want: ["rollout 1 watching 100% []: updating"],
  },
  {
    name: "ends a rollout of a service that has no replicas",
    service: canary({}, 0),
    imageBefore: "tiny:0",
    want: ["rollout 0 completed []: completed"],
  },
];

planSuite(rows);
