import assert from "node:assert/strict";
import { test } from "node:test";
import type { RestartPolicy } from "../objects/service.ts";
import type { TaskStatus } from "../objects/task.ts";
import { aService, aTask, type ServiceWish, type TaskWish, TestLog } from "../testing/index.ts";
import { notUp } from "./not-up.ts";

type Wish = TaskWish & { readonly status?: Partial<TaskStatus> };

const crashes = { count: 3, reason: "task: non-zero exit (1)" };
const failed: Wish = {
  node: "a",
  slot: 1,
  state: "failed",
  desired: "shutdown",
  status: { Err: "no" },
};
const never: RestartPolicy = { Condition: "none" };
const job: ServiceWish = { mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } } };

const cases: readonly {
  readonly name: string;
  readonly service?: ServiceWish;
  readonly tasks: readonly Wish[];
  /** Places, reason, failures and when it restarts. */
  readonly want?: readonly [number, string, number, number];
}[] = [
  { name: "that has no tasks", tasks: [] },
  { name: "that runs", tasks: [failed, { node: "a", slot: 1 }] },
  { name: "whose first task is on its way", tasks: [{ node: "a", slot: 1, state: "preparing" }] },
  {
    name: "whose task waits for its restart",
    tasks: [
      failed,
      { node: "a", slot: 1, state: "ready", desired: "ready", extra: { crashes, startAfterMs: 9 } },
    ],
    want: [1, "task: non-zero exit (1)", 3, 9],
  },
  {
    name: "whose task tries again",
    tasks: [{ node: "a", slot: 1, state: "starting", extra: { crashes, startAfterMs: 9 } }],
    want: [1, "task: non-zero exit (1)", 3, 0],
  },
  {
    name: "that no node can take",
    tasks: [1, 2].map((slot) => ({ slot, status: { Err: "no suitable node" } })),
    want: [2, "no suitable node", 0, 0],
  },
  {
    name: "whose task may not be restarted",
    service: { template: { RestartPolicy: never } },
    tasks: [failed],
    want: [1, "no", 1, 0],
  },
  {
    name: "whose task has ended well and may not be restarted",
    service: { template: { RestartPolicy: never } },
    tasks: [{ ...failed, state: "complete" }],
  },
  { name: "whose task was stopped", tasks: [{ ...failed, state: "shutdown" }] },
  {
    name: "that is a job and is done",
    service: job,
    tasks: [{ node: "a", slot: 0, state: "complete", desired: "complete" }],
  },
  {
    name: "that is a job and has failed",
    service: job,
    tasks: [{ ...failed, slot: 0 }],
    want: [1, "no", 1, 0],
  },
];

for (const { name, service, tasks, want } of cases) {
  test(`a service ${name} ${want === undefined ? "is up, or on its way" : "does not come up"}`, () => {
    const log = new TestLog();
    log.write(aService("web", service));
    for (const [n, { status, ...wish }] of tasks.entries()) {
      const extra = { templateVersion: 1, ...wish.extra };
      const task = aTask("web", `t${n}`, { ...wish, extra });
      const run = service === job ? { JobIteration: {} } : {};
      log.write({
        kind: "createTask",
        task: { ...task, ...run, Status: { ...task.Status, ...status } },
      });
    }
    const [found] = notUp(log.store);
    const got = found && [found.places, found.reason, found.failures, found.restartsAtMs];
    assert.deepEqual(got, want);
  });
}
