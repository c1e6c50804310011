/** What is planned for one service, place by place. Times are seconds after the start of the log. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ServiceId } from "@gam/core";
import { counterMint } from "@gam/core/testing";
import type { Change, PlannedChange, RestartPolicy, Service, UpdateConfig } from "@gam/state";
import {
  aNode,
  aService,
  aTask,
  type ServiceWish,
  type TaskWish,
  TestLog,
} from "@gam/state/testing";
import { Orchestrator } from "./orchestrator.ts";

const web = "web" as ServiceId;
const startMs = Date.UTC(2026, 0, 1);

interface World {
  readonly nodes?: readonly Parameters<typeof aNode>[];
  readonly service: ServiceWish;
  /** The image that the service had before; its tasks' template is 1, that of the new one 2. */
  readonly imageBefore?: string;
  readonly update?: Partial<Service["Gam"]> & { readonly status?: Service["UpdateStatus"] };
  readonly tasks?: readonly (readonly [id: string, wish: TaskWish & { readonly endS?: number }])[];
  readonly nowS?: number;
}

function logOf(world: World): TestLog {
  const log = new TestLog();
  const nodes = world.nodes ?? [["a"], ["b"], ["c"]];
  const before = world.imageBefore === undefined ? {} : { image: world.imageBefore };
  const made = aService("web", { ...world.service, ...before });
  log.write(...nodes.map((node): Change => ({ kind: "joinNode", node: aNode(...node) })), made);
  if (world.imageBefore !== undefined) {
    const { spec } = aService("web", world.service);
    const asked = { rollback: false, registryAuth: "", basedOn: 1 };
    log.write({ kind: "updateService", id: web, spec, previous: made.spec, ...asked });
  }
  for (const [id, { endS, ...wish }] of world.tasks ?? []) {
    const Image = wish.extra?.templateVersion === 2 || !world.imageBefore ? "tiny:1" : "tiny:0";
    const template = { ...made.spec.TaskTemplate, ContainerSpec: { Image } };
    const extra = { templateVersion: 1, ...wish.extra };
    const task = aTask("web", id, { template, ...wish, extra });
    const Timestamp = new Date(startMs + 1000 * (endS ?? 0)).toISOString();
    log.write({ kind: "createTask", task: { ...task, Status: { ...task.Status, Timestamp } } });
  }
  if (world.update !== undefined) {
    const { waveAtMs = 0, updated = [], status } = world.update;
    const templateVersion = log.store.service(web)?.Gam.templateVersion ?? 0;
    log.write({ kind: "progressUpdate", id: web, templateVersion, status, waveAtMs, updated });
  }
  log.nowMs = startMs + 1000 * (world.nowS ?? 0);
  return log;
}

function plan(log: TestLog, prefix = "new"): PlannedChange[] {
  const orchestrator = new Orchestrator(counterMint(prefix));
  orchestrator.noticeAll();
  return orchestrator.plan(log.store, { nowMs: log.nowMs, verdicts: new Map() });
}

function show(change: PlannedChange): string {
  switch (change.kind) {
    case "createTask": {
      const { Slot, NodeID, DesiredState, Gam } = change.task;
      const delayS = (Gam.startAfterMs - startMs) / 1000;
      return [
        `create ${Slot ?? NodeID} ${DesiredState}`,
        Gam.after === "" ? "" : ` after ${Gam.after}`,
        Gam.startAfterMs === 0 ? "" : ` at ${delayS}`,
        Gam.restart ? " restart" : "",
      ].join("");
    }
    case "desireTask":
      return `${change.id} ${change.desired}`;
    case "removeTask":
      return `${change.id} gone`;
    case "orphanTask":
      return `${change.id} ${change.status.State}`;
    case "progressUpdate": {
      const at = change.waveAtMs === 0 ? "" : ` at ${(change.waveAtMs - startMs) / 1000}`;
      return `${change.status?.State} [${change.updated}]${at}: ${change.status?.Message}`;
    }
    case "rollbackService":
      return `rollback: ${change.message}`;
    default:
      return change.kind;
  }
}

const two: ServiceWish = { replicas: 2 };
const one: ServiceWish = { replicas: 1 };
const global: ServiceWish = { mode: { Global: {} } };
const on = (node: string, slot: number, wish: TaskWish = {}): TaskWish => ({ slot, node, ...wish });
const down: Parameters<typeof aNode> = ["a", { state: "down" }];
const drained: Parameters<typeof aNode> = ["a", { spec: { Availability: "drain" } }];
const policy = (RestartPolicy: RestartPolicy, replicas = 1): ServiceWish => ({
  replicas,
  template: { RestartPolicy },
});
const updating = { State: "updating" as const, StartedAt: "", Message: "update in progress" };
const rolling = { State: "rollback_started" as const, StartedAt: "", Message: "because" };
const updatedBy = (UpdateConfig: UpdateConfig, replicas = 3): ServiceWish => ({
  replicas,
  spec: { UpdateConfig, RollbackConfig: UpdateConfig },
});
const second = { templateVersion: 2, startedAtMs: startMs };

const cases: readonly (World & { name: string; want: readonly string[] })[] = [
  // Slots.
  { name: "fills empty slots", service: two, want: ["create 1 running", "create 2 running"] },
  {
    name: "uses free numbers again, but not while their last task is being stopped",
    service: { replicas: 3 },
    tasks: [
      ["t2", on("b", 2)],
      ["t1", on("a", 1, { desired: "remove" })],
    ],
    want: ["create 3 running", "create 4 running"],
  },
  {
    name: "scales down what does not run first, then on the fullest node",
    service: two,
    tasks: [
      ["t1", on("a", 1)],
      ["t2", on("a", 2)],
      ["t3", on("b", 3)],
      ["t4", on("b", 4, { state: "starting" })],
      ["t5", { slot: 5 }],
    ],
    want: ["t4 remove", "t5 gone", "t2 remove"],
  },
  // Restart.
  {
    name: "restarts what ended by itself after 5 s",
    service: one,
    tasks: [["t1", on("a", 1, { state: "complete" })]],
    nowS: 1,
    want: ["t1 shutdown", "create 1 ready at 6 restart"],
  },
  {
    name: "restarts at once where the policy says so",
    service: policy({ Delay: 0 }),
    tasks: [["t1", on("a", 1, { state: "failed" })]],
    want: ["t1 shutdown", "create 1 running restart"],
  },
  {
    name: "leaves what ended by itself where the policy says so",
    service: policy({ Condition: "none" }),
    tasks: [["t1", on("a", 1, { state: "failed" })]],
    want: ["t1 shutdown"],
  },
  {
    name: "tells success from failure",
    service: policy({ Condition: "on-failure", Delay: 0 }, 2),
    tasks: [
      ["t1", on("a", 1, { state: "complete" })],
      ["t2", on("a", 2, { state: "failed" })],
    ],
    want: ["t1 shutdown", "t2 shutdown", "create 2 running restart"],
  },
  {
    name: "stops after so many attempts",
    service: policy({ MaxAttempts: 1, Delay: 0 }),
    tasks: [
      ["t1", on("a", 1, { state: "failed", desired: "shutdown" })],
      ["t2", on("a", 1, { state: "failed", extra: { restart: true } })],
    ],
    want: ["t2 shutdown"],
  },
  {
    name: "counts attempts only within the window before the end",
    service: policy({ MaxAttempts: 1, Delay: 0, Window: 10e9 }),
    tasks: [
      ["t1", on("a", 1, { state: "failed", desired: "shutdown" })],
      ["t2", { ...on("a", 1, { state: "failed", extra: { restart: true } }), endS: 11 }],
    ],
    nowS: 11,
    want: ["t2 shutdown", "create 1 running restart", "t1 gone"],
  },
  {
    name: "lets what could not be prepared wait for the end of its delay",
    service: one,
    tasks: [
      ["t1", on("a", 1, { state: "rejected", desired: "shutdown" })],
      [
        "t2",
        on("b", 1, {
          state: "rejected",
          desired: "ready",
          extra: { startAfterMs: startMs + 5000 },
        }),
      ],
    ],
    nowS: 4,
    want: [],
  },
  {
    name: "tries again what could not be prepared when its delay is over",
    service: one,
    tasks: [
      [
        "t2",
        on("b", 1, {
          state: "rejected",
          desired: "ready",
          extra: { startAfterMs: startMs + 5000 },
        }),
      ],
    ],
    nowS: 5,
    want: ["t2 shutdown", "create 1 ready at 10 restart"],
  },
  {
    name: "does not wait for the delay of one that ended where another runs",
    service: one,
    tasks: [
      ["t1", on("a", 1, { state: "running" })],
      [
        "t2",
        on("b", 1, {
          state: "rejected",
          desired: "ready",
          extra: { startAfterMs: startMs + 5000 },
        }),
      ],
    ],
    want: ["t2 shutdown"],
  },
  {
    name: "lets a restarted task run when its time has come",
    service: one,
    tasks: [
      [
        "t1",
        on("a", 1, { state: "ready", desired: "ready", extra: { startAfterMs: startMs + 5000 } }),
      ],
    ],
    nowS: 5,
    want: ["t1 running"],
  },
  {
    name: "and not before",
    service: one,
    tasks: [
      [
        "t1",
        on("a", 1, { state: "ready", desired: "ready", extra: { startAfterMs: startMs + 5000 } }),
      ],
    ],
    nowS: 4,
    want: [],
  },
  // Nodes.
  {
    name: "replaces a task on a lost node at once, and keeps it in mind",
    nodes: [down, ["b"]],
    service: one,
    tasks: [["t1", on("a", 1)]],
    want: ["create 1 running"],
  },
  {
    name: "gives the lost one up when the replacement runs",
    nodes: [down, ["b"]],
    service: one,
    tasks: [
      ["t1", on("a", 1)],
      ["t2", on("b", 1)],
    ],
    want: ["t1 shutdown"],
  },
  {
    name: "drops the replacement when the node is back before it runs",
    nodes: [["a"], ["b"]],
    service: two,
    tasks: [
      ["t1", on("a", 1)],
      ["t2", on("b", 1, { state: "starting" })],
      ["t3", on("a", 2)],
      ["t4", { slot: 2 }],
    ],
    want: ["t2 remove", "t4 gone"],
  },
  {
    name: "moves the tasks of a drained node when they have stopped, without delay",
    nodes: [drained, ["b"]],
    service: one,
    tasks: [["t1", on("a", 1)]],
    want: ["t1 shutdown", "create 1 ready after t1"],
  },
  {
    name: "moves tasks whose constraints hold no more",
    nodes: [["a"], ["b"]],
    service: { replicas: 1, template: { Placement: { Constraints: ["node.labels.x==1"] } } },
    tasks: [["t1", on("a", 1)]],
    want: ["t1 shutdown", "create 1 ready after t1"],
  },
  {
    name: "calls tasks of a removed node orphans, and replaces them",
    nodes: [["b"]],
    service: one,
    tasks: [["t1", on("a", 1)]],
    want: ["t1 shutdown", "create 1 running", "t1 orphaned"],
  },
  {
    name: "waits no more for a task whose node is down",
    nodes: [down, ["b"]],
    service: one,
    tasks: [
      ["t1", on("a", 1, { desired: "shutdown" })],
      [
        "t2",
        on("b", 1, { state: "ready", desired: "ready", extra: { after: aTask("", "t1").ID } }),
      ],
    ],
    want: ["t2 running"],
  },
  {
    name: "nor for longer than a minute",
    service: one,
    tasks: [
      ["t1", on("a", 1, { desired: "shutdown" })],
      [
        "t2",
        on("b", 1, { state: "ready", desired: "ready", extra: { after: aTask("", "t1").ID } }),
      ],
    ],
    nowS: 60,
    want: ["t2 running"],
  },
  // Global.
  {
    name: "puts one task of a global service on each node that is there and takes new ones",
    nodes: [
      ["a"],
      ["b", { spec: { Availability: "pause" } }],
      down.with(0, "c") as [string],
      drained.with(0, "d") as [string],
    ],
    service: global,
    want: ["create a running"],
  },
  {
    name: "leaves global tasks on paused and lost nodes, and takes them from drained ones",
    nodes: [
      ["a", { spec: { Availability: "pause" } }],
      ["b", { state: "down" }],
      ["c", { spec: { Availability: "drain" } }],
    ],
    service: global,
    tasks: [
      ["t1", { node: "a" }],
      ["t2", { node: "b" }],
      ["t3", { node: "c" }],
    ],
    want: ["t3 shutdown"],
  },
  {
    name: "gives a node that is active again its global task again",
    nodes: [["a"]],
    service: global,
    tasks: [["t1", { node: "a", state: "shutdown", desired: "shutdown" }]],
    want: ["create a running"],
  },
  // History.
  {
    name: "keeps five tasks of a slot, the running one included, and the newest of an empty one",
    service: two,
    tasks: [
      ...["h1", "h2", "h3", "h4", "h5", "h6"].map(
        (id) => [id, on("a", 1, { state: "failed", desired: "shutdown" })] as const,
      ),
      ["t1", on("a", 1)],
      ["t2", on("a", 2)],
      ["h7", on("a", 2, { desired: "shutdown", state: "pending" })],
    ],
    want: ["h1 gone", "h2 gone", "h7 gone"],
  },
  {
    name: "removes what was to be removed when it has ended or its node is gone or down",
    nodes: [down, ["b"]],
    service: { replicas: 0 },
    tasks: [
      ["t1", on("a", 1, { desired: "remove" })],
      ["t2", on("b", 2, { desired: "remove" })],
      ["t3", on("b", 3, { desired: "remove", state: "shutdown" })],
      ["t4", on("z", 4, { desired: "remove" })],
    ],
    want: ["t1 gone", "t3 gone", "t4 gone"],
  },
  // Update.
  {
    name: "updates one slot after the other, the old task first",
    service: updatedBy({ Parallelism: 1 }),
    imageBefore: "tiny:0",
    tasks: [1, 2, 3].map((slot) => [`t${slot}`, on("a", slot)] as const),
    want: ["create 1 ready after t1", "t1 shutdown", "updating [1]: update in progress"],
  },
  {
    name: "updates all at once, the new task first",
    service: updatedBy({ Parallelism: 0, Order: "start-first" }, 2),
    imageBefore: "tiny:0",
    tasks: [1, 2].map((slot) => [`t${slot}`, on("a", slot)] as const),
    want: ["create 1 running", "create 2 running", "updating [1,2]: update in progress"],
  },
  {
    name: "ends the old task when the new one runs, and goes on",
    service: updatedBy({ Parallelism: 1, Order: "start-first" }, 2),
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"] },
    tasks: [
      ["t1", on("a", 1)],
      ["t2", on("a", 2)],
      ["n1", on("b", 1, { extra: second })],
    ],
    want: ["t1 shutdown", "create 2 running", "updating [1,2]: update in progress"],
  },
  {
    name: "does not go on while the new task is on its way",
    service: updatedBy({ Parallelism: 1 }, 2),
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"] },
    tasks: [
      ["t2", on("a", 2)],
      ["n1", on("b", 1, { state: "preparing", extra: { templateVersion: 2 } })],
    ],
    want: [],
  },
  {
    name: "notes when a wave has settled, to wait for the delay from there",
    service: updatedBy({ Parallelism: 1, Delay: 3e9 }, 2),
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"] },
    tasks: [
      ["t2", on("a", 2)],
      ["n1", on("b", 1, { extra: second })],
    ],
    nowS: 1,
    want: ["updating [1] at 1: update in progress"],
  },
  {
    name: "waits for the delay",
    service: updatedBy({ Parallelism: 1, Delay: 3e9 }, 2),
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"], waveAtMs: startMs + 1000 },
    tasks: [
      ["t2", on("a", 2)],
      ["n1", on("b", 1, { extra: second })],
    ],
    nowS: 3,
    want: [],
  },
  {
    name: "does not wait for a time that a wrong clock wrote",
    service: updatedBy({ Parallelism: 1, Delay: 3e9 }, 2),
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"], waveAtMs: startMs + 3_600_000 },
    tasks: [
      ["t2", on("a", 2)],
      ["n1", on("b", 1, { extra: second })],
    ],
    nowS: 3,
    want: ["create 2 ready after t2", "t2 shutdown", "updating [1,2]: update in progress"],
  },
  {
    name: "does not keep an old task beside its new one that does not run either",
    service: updatedBy({ Parallelism: 1, Order: "start-first" }, 1),
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"] },
    tasks: [
      ["t1", { slot: 1, state: "pending", extra: { templateVersion: 1 } }],
      ["n1", { slot: 1, state: "pending", extra: { templateVersion: 2 } }],
    ],
    want: ["t1 gone"],
  },
  {
    name: "lets an old task go that came back, where its new one waits for its room",
    service: updatedBy({ Parallelism: 1 }, 1),
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"] },
    tasks: [
      ["t1", on("a", 1)],
      ["n1", { slot: 1, state: "pending", extra: { templateVersion: 2 } }],
    ],
    want: ["t1 shutdown"],
  },
  {
    name: "drops the stand-in of an old task that came back, until it is its turn",
    service: updatedBy({ Parallelism: 1 }, 2),
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["2"] },
    tasks: [
      ["t1", on("a", 1)],
      ["n1", { slot: 1, state: "pending", extra: { templateVersion: 2 } }],
      ["n2", { slot: 2, state: "pending", extra: { templateVersion: 2 } }],
    ],
    want: ["n1 gone"],
  },
  {
    name: "goes on after the delay",
    service: updatedBy({ Parallelism: 1, Delay: 3e9 }, 2),
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"], waveAtMs: startMs + 1000 },
    tasks: [
      ["t2", on("a", 2)],
      ["n1", on("b", 1, { extra: second })],
    ],
    nowS: 4,
    want: ["create 2 ready after t2", "t2 shutdown", "updating [1,2]: update in progress"],
  },
  {
    name: "completes when all was watched long enough",
    service: updatedBy({ Parallelism: 1 }, 1),
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"], waveAtMs: startMs + 1000 },
    tasks: [["n1", on("b", 1, { extra: second })]],
    nowS: 6,
    want: ["completed [1]: update completed"],
  },
  {
    name: "pauses when a new task fails soon",
    service: {
      ...updatedBy({ Parallelism: 1 }, 2),
      template: { RestartPolicy: { Condition: "none" } },
    },
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"] },
    tasks: [
      ["t2", on("a", 2)],
      ["n1", { ...on("b", 1, { state: "failed", extra: second }), endS: 5 }],
    ],
    want: [
      "n1 shutdown",
      "paused [1]: update paused due to failure or early termination of task n1",
    ],
  },
  {
    name: "does not count what fails later",
    service: {
      ...updatedBy({ Parallelism: 1 }, 2),
      template: { RestartPolicy: { Condition: "none" } },
    },
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"] },
    tasks: [
      ["t2", on("a", 2)],
      ["n1", { ...on("b", 1, { state: "failed", desired: "shutdown", extra: second }), endS: 6 }],
    ],
    want: ["create 2 ready after t2", "t2 shutdown", "updating [1,2]: update in progress"],
  },
  {
    name: "lets a share of them fail",
    service: {
      ...updatedBy({ MaxFailureRatio: 0.5, Parallelism: 1 }, 2),
      template: { RestartPolicy: { Condition: "none" } },
    },
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"] },
    tasks: [
      ["t2", on("a", 2)],
      ["n1", on("b", 1, { state: "rejected", desired: "shutdown", extra: { templateVersion: 2 } })],
    ],
    want: ["create 2 ready after t2", "t2 shutdown", "updating [1,2]: update in progress"],
  },
  {
    name: "rolls back where it was told to",
    service: {
      ...updatedBy({ FailureAction: "rollback", Parallelism: 1 }, 1),
      template: { RestartPolicy: { Condition: "none" } },
    },
    imageBefore: "tiny:0",
    update: { status: updating, updated: ["1"] },
    tasks: [
      ["n1", on("b", 1, { state: "rejected", desired: "shutdown", extra: { templateVersion: 2 } })],
    ],
    want: ["rollback: update rolled back due to failure or early termination of task n1"],
  },
  {
    name: "never rolls back a rollback",
    service: {
      ...updatedBy({ FailureAction: "rollback", Parallelism: 1 }, 1),
      template: { RestartPolicy: { Condition: "none" } },
    },
    imageBefore: "tiny:0",
    update: { status: rolling, updated: ["1"] },
    tasks: [
      ["n1", on("b", 1, { state: "rejected", desired: "shutdown", extra: { templateVersion: 2 } })],
    ],
    want: ["rollback_paused [1]: rollback paused due to failure or early termination of task n1"],
  },
  {
    name: "is done at once with a rollback that changes nothing",
    service: one,
    update: { status: rolling },
    tasks: [["t1", on("a", 1)]],
    want: ["rollback_completed []: rollback completed"],
  },
  {
    name: "does not touch a paused update",
    service: two,
    imageBefore: "tiny:0",
    update: { status: { ...updating, State: "paused" } },
    tasks: [1, 2].map((slot) => [`t${slot}`, on("a", slot)] as const),
    want: [],
  },
  {
    name: "fills empty slots by the new template without calling it an update",
    service: one,
    imageBefore: "tiny:0",
    want: ["create 1 running"],
  },
  // Jobs.
  {
    name: "starts the tasks of a job a few at a time, from slot 0",
    service: { mode: { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 3 } } },
    want: ["create 0 complete", "create 1 complete"],
  },
  {
    name: "starts the next one when one has completed, and restarts what failed",
    service: { mode: { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 3 } } },
    tasks: [
      ["t1", on("a", 0, { state: "complete", desired: "complete" })],
      ["t2", on("a", 1, { state: "failed", desired: "complete" })],
    ],
    want: ["t2 shutdown", "create 1 ready at 5 restart", "create 2 complete"],
  },
  {
    name: "begins no other place of a job while one waits to be prepared again",
    service: { mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 3 } } },
    tasks: [
      [
        "t0",
        on("a", 0, {
          state: "rejected",
          desired: "ready",
          extra: { startAfterMs: startMs + 5000 },
        }),
      ],
    ],
    want: [],
  },
  {
    name: "lets a restarted task of a job run to its end when its time has come",
    service: { mode: { GlobalJob: {} } },
    nodes: [["a"]],
    tasks: [["t1", { node: "a", state: "ready", desired: "ready" }]],
    want: ["t1 complete"],
  },
  {
    name: "has done with a job that has completed",
    service: { mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } } },
    tasks: [["t1", on("a", 0, { state: "complete", desired: "complete" })]],
    want: [],
  },
  {
    name: "ends what would complete a place of a job twice",
    service: { mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } } },
    tasks: [
      ["t1", on("a", 0, { state: "complete", desired: "complete" })],
      ["t2", on("b", 0, { desired: "complete" })],
    ],
    want: ["t2 shutdown"],
  },
  {
    name: "runs a job again by its new template",
    service: { mode: { GlobalJob: {} } },
    nodes: [["a"], ["b", { state: "down" }]],
    imageBefore: "tiny:0",
    tasks: [["t1", { node: "a", state: "complete", desired: "complete" }]],
    want: ["t1 gone", "create a complete"],
  },
];

for (const { name, want, ...world } of cases) {
  test(`the orchestrator ${name}`, () => {
    const log = logOf(world);
    const changes = plan(log);
    assert.deepEqual(changes.map(show), want);
    log.write(...changes);
    const rolledBack = changes.some(({ kind }) => kind === "rollbackService");
    if (!rolledBack) assert.deepEqual(plan(log, "again").map(show), [], "planned again");
  });
}

test("a change of the placement alone leaves tasks where they fit", () => {
  const template = { Placement: { Constraints: ["node.id!=c"] } };
  const log = logOf({
    service: { replicas: 2, template },
    tasks: [
      ["t1", on("a", 1)],
      ["t2", on("b", 2)],
    ],
  });
  const service = log.store.service(web);
  assert.ok(service);
  const Placement = { Constraints: ["node.id!=b"] };
  const spec = { ...service.Spec, TaskTemplate: { ...service.Spec.TaskTemplate, Placement } };
  const asked = { rollback: false, registryAuth: "", basedOn: service.Version.Index };
  log.write({ kind: "updateService", id: web, spec, previous: service.Spec, ...asked });
  const want = ["create 2 ready after t2", "t2 shutdown", "updating [2]: update in progress"];
  assert.deepEqual(plan(log).map(show), want);
});

test("going back to an old spec leaves the tasks that have it", () => {
  const log = logOf({ service: { replicas: 1, image: "tiny:2" }, imageBefore: "tiny:0" });
  log.write({
    kind: "createTask",
    task: aTask("web", "t1", on("a", 1, { template: { ContainerSpec: { Image: "tiny:0" } } })),
  });
  log.write({ kind: "rollbackService", id: web, templateVersion: 2, message: "because" });
  assert.deepEqual(plan(log).map(show), ["rollback_completed []: rollback completed"]);
});

test("the tasks of a removed service go", () => {
  const log = logOf({
    service: one,
    tasks: [
      ["t1", on("a", 1)],
      ["t2", { slot: 2 }],
    ],
  });
  log.write({ kind: "removeService", id: web });
  const changes = plan(log);
  assert.deepEqual(changes.map(show), ["t1 remove", "t2 gone"]);
  log.write(...changes);
  assert.deepEqual(plan(log), []);
});

test("a plan has a limit, and the next one goes on", () => {
  const log = logOf({ service: { replicas: 3000 } });
  const orchestrator = new Orchestrator(counterMint("n"));
  orchestrator.noticeAll();
  const facts = { nowMs: log.nowMs, verdicts: new Map() };
  const first = orchestrator.plan(log.store, facts);
  assert.equal(first.length, 2000);
  log.write(...first);
  assert.equal(orchestrator.plan(log.store, facts).length, 1000);
});

test("a plan that was lost is made again", () => {
  const log = logOf({ service: one });
  const orchestrator = new Orchestrator(counterMint("n"));
  orchestrator.noticeAll();
  const facts = { nowMs: log.nowMs, verdicts: new Map() };
  assert.equal(orchestrator.plan(log.store, facts).length, 1);
  assert.equal(orchestrator.plan(log.store, facts).length, 1);
});

test("nodes are judged before anything else, and once", () => {
  const log = logOf({ service: one, nodes: [["a"], ["b"]] });
  const orchestrator = new Orchestrator(counterMint("n"));
  orchestrator.noticeAll();
  const lost = { verdict: "lost", reason: "silent" } as const;
  const facts = { nowMs: log.nowMs, verdicts: new Map([["a" as NodeId, lost]]) };
  const judged = orchestrator.plan(log.store, facts);
  assert.deepEqual(judged, [
    { kind: "judgeNode", id: "a", status: { State: "down", Message: "silent" } },
  ]);
  log.write(...judged);
  assert.deepEqual(orchestrator.plan(log.store, facts).map(show), ["create 1 running"]);
});
