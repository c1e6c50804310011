import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkNodes,
  checkServices,
  checkTasks,
  type ServiceItem,
  type TaskItem,
} from "../agent/engine-calls.ts";
import { progressOf } from "./convergence.ts";

function aService(Mode: object, changed: object = {}, Labels: object = {}): ServiceItem {
  const Spec = { Name: "web", Labels, Mode, TaskTemplate: {} };
  const found = checkServices([{ ID: "s", Version: { Index: 1 }, Spec, ...changed }], "services");
  assert.ok(found[0]);
  return found[0];
}

/** Tasks as `slot desired state`, on node n1 or on the node that is the slot. */
function someTasks(...lines: string[]): TaskItem[] {
  const at = "2026-01-01T00:00:00Z";
  const tasks = lines.map((line) => {
    const [slot = "", DesiredState, State, ...error] = line.split(" ");
    const isNode = slot.startsWith("n");
    return {
      ID: line,
      ServiceID: "s",
      ...(isNode ? { NodeID: slot } : { NodeID: "n1", Slot: Number(slot) }),
      DesiredState,
      Status: { Timestamp: at, State, Err: error.join(" ") || undefined },
      Spec: {},
    };
  });
  return checkTasks(tasks, "tasks");
}

const nodes = checkNodes(
  ["n1", "n2", "n3"].map((ID) => ({
    ID,
    Description: { Hostname: ID },
    Status: { State: ID === "n3" ? "down" : "ready" },
  })),
  "nodes",
);
const two = { Replicated: { Replicas: 2 } };
const updated = (State: string, StartedAt: string): object => ({
  UpdateStatus: { State, StartedAt, Message: "why" },
});

const cases: readonly {
  readonly name: string;
  readonly service: ServiceItem;
  readonly tasks: TaskItem[];
  readonly want: string;
}[] = [
  {
    name: "waits while nothing exists",
    service: aService(two),
    tasks: [],
    want: "0/2 waiting: waiting for tasks",
  },
  {
    name: "counts a slot by its task with the lowest desired state",
    service: aService(two),
    tasks: someTasks("1 running running", "1 shutdown failed", "2 running preparing"),
    want: "1/2 waiting: 1 running, 1 preparing",
  },
  {
    name: "converges when every slot runs",
    service: aService(two),
    tasks: someTasks("1 running running", "2 running running", "2 shutdown shutdown"),
    want: "2/2 converged: all tasks run",
  },
  {
    name: "needs no tasks for no replicas",
    service: aService({ Replicated: { Replicas: 0 } }),
    tasks: [],
    want: "0/0 converged: all tasks run",
  },
  {
    name: "does not count tasks of lost nodes",
    service: aService({ Global: {} }),
    tasks: someTasks("n1 running running", "n3 running running"),
    want: "1/1 converged: all tasks run",
  },
  {
    name: "waits for the first task of a global service",
    service: aService({ Global: {} }),
    tasks: [],
    want: "0/0 waiting: waiting for tasks",
  },
  {
    name: "shows why a task does not run",
    service: aService(two),
    tasks: someTasks("1 running pending no suitable node", "2 running running"),
    want: "1/2 waiting: no suitable node",
  },
  {
    name: "fails when no task is started again",
    service: aService(two),
    tasks: someTasks("1 shutdown failed exit code 1", "2 shutdown complete"),
    want: "0/2 failed: exit code 1",
  },
  {
    name: "fails when the update is paused",
    service: aService(two, updated("paused", "old")),
    tasks: someTasks("1 running running", "2 running running"),
    want: "2/2 failed: update paused: why",
  },
  {
    name: "fails when this deploy was rolled back",
    service: aService(two, updated("rollback_completed", "new")),
    tasks: someTasks("1 running running", "2 running running"),
    want: "2/2 failed: rolled back: why",
  },
  {
    name: "does not fail for the rollback of an earlier deploy",
    service: aService(two, updated("rollback_completed", "old")),
    tasks: someTasks("1 running running", "2 running running"),
    want: "2/2 converged: all tasks run",
  },
  {
    name: "does not wait for the next run of a job with a schedule",
    service: aService({ ReplicatedJob: { TotalCompletions: 2 } }, {}, { "gam.cron": "@yearly" }),
    tasks: [],
    want: "0/2 done: runs by its schedule",
  },
  {
    name: "ends with the last run of a job",
    service: aService({ ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 2 } }),
    tasks: someTasks("0 complete complete", "1 complete complete"),
    want: "2/2 done: job complete",
  },
  {
    name: "counts the tasks that a part of a pod has",
    service: aService(two, {}, { "gam.pod": "app" }),
    tasks: someTasks("1 running running", "2 running running", "3 running preparing"),
    want: "2/3 waiting: 2 running, 1 preparing",
  },
  {
    name: "leaves a part without tasks to its main service",
    service: aService(two, {}, { "gam.pod": "app" }),
    tasks: [],
    want: "0/0 converged: runs with the tasks of app, which has none yet or does not exist",
  },
  {
    name: "waits for init containers, and says why",
    service: aService(two, {}, { "gam.pod": "app", "gam.pod.role": "init" }),
    tasks: someTasks("1 complete complete", "2 complete running"),
    want: "1/2 waiting: 1 complete, 1 running",
  },
  {
    name: "does not say that init containers ran that nobody needs",
    service: aService(two, {}, { "gam.pod": "app", "gam.pod.role": "init" }),
    tasks: [],
    want: "0/0 done: runs with the tasks of app, which has none yet or does not exist",
  },
  {
    name: "is done when the init containers have completed",
    service: aService(two, {}, { "gam.pod": "app", "gam.pod.role": "init" }),
    tasks: someTasks("1 complete complete", "2 complete complete"),
    want: "2/2 done: ran to its end",
  },
];

for (const { name, service, tasks, want } of cases) {
  test(`progressOf() ${name}`, () => {
    const found = progressOf(service, { tasks, nodes, before: "old" });
    assert.equal(`${found.running}/${found.wanted} ${found.state}: ${found.words}`, want);
  });
}
