/** The plans for the places of a service, and the loop over services. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { counterMint } from "@gam/core/testing";
import type { RestartPolicy } from "@gam/state";
import { type aNode, aTask, type ServiceWish } from "@gam/state/testing";
import { Orchestrator } from "./orchestrator.ts";
import { logOf, on, plan, planSuite, type Row, show, startMs, web } from "./plan-suite.ts";

const two: ServiceWish = { replicas: 2 };
const one: ServiceWish = { replicas: 1 };
const global: ServiceWish = { mode: { Global: {} } };
const down: Parameters<typeof aNode> = ["a", { state: "down" }];
const drained: Parameters<typeof aNode> = ["a", { spec: { Availability: "drain" } }];
const waits = (on: string, wish: ServiceWish = one): ServiceWish => ({
  ...wish,
  spec: { Labels: { "gam.depends_on": on } },
});
const draining = (Order: "start-first" | "stop-first"): ServiceWish => ({
  ...one,
  spec: { Labels: { "gam.drain": "1m" }, UpdateConfig: { Order } },
});
const withVolume = {
  ContainerSpec: {
    Image: "tiny:1",
    Mounts: [{ Type: "volume" as const, Source: "data", Target: "/data" }],
  },
};
const policy = (RestartPolicy: RestartPolicy, replicas = 1): ServiceWish => ({
  replicas,
  template: { RestartPolicy },
});

const rows: readonly Row[] = [
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
  {
    name: "scales down the highest slots of a service with a volume, also when a lower one does not run",
    service: { replicas: 1, template: withVolume },
    tasks: [
      ["t1", { slot: 1, template: withVolume }],
      ["t2", on("b", 2, { template: withVolume })],
      ["t3", on("b", 3, { template: withVolume })],
    ],
    want: ["t2 remove", "t3 remove"],
  },
  {
    name: "uses the numbers of slots with volumes again while their last tasks are being stopped",
    service: { replicas: 3, template: withVolume },
    tasks: [
      ["t1", on("a", 1, { desired: "remove", template: withVolume })],
      ["t2", on("b", 2, { desired: "remove", template: withVolume })],
    ],
    want: ["create 1 ready after t1", "create 2 ready after t2", "create 3 running"],
  },
  {
    name: "does not wait for the task of a slot with a volume whose node is down",
    nodes: [down, ["b"]],
    service: { replicas: 1, template: withVolume },
    tasks: [["t1", on("a", 1, { desired: "remove", template: withVolume })]],
    want: ["create 1 running", "t1 gone"],
  },
  // Order.
  {
    name: "prepares a task whose service waits for another",
    service: waits("db:healthy"),
    want: ["create 1 ready"],
  },
  {
    name: "does not wait for a service that may be missing",
    service: waits("db:healthy?"),
    want: ["create 1 running"],
  },
  {
    name: "lets a prepared task wait, and a running one run on",
    service: waits("db", two),
    tasks: [
      ["t1", on("a", 1, { state: "ready", desired: "ready" })],
      ["t2", on("b", 2)],
    ],
    want: [],
  },
  {
    name: "makes a task anew that may start and has no node, when its service waits again",
    service: waits("db"),
    tasks: [["t1", { slot: 1 }]],
    want: ["t1 gone", "create 1 ready"],
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
    name: "lets a task that could not be prepared wait for the end of its delay",
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
    name: "retries a task that could not be prepared when its delay is over",
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
    name: "does not wait for the delay of an ended task while another runs",
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
    name: "lets a restarted task run when its delay is over",
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
    name: "replaces a task on a lost node at once, and keeps it wanted",
    nodes: [down, ["b"]],
    service: one,
    tasks: [["t1", on("a", 1)]],
    want: ["create 1 running"],
  },
  {
    name: "shuts down the lost task when the replacement runs",
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
    name: "starts beside a task that leaves a drained node and waits for its connections, with start-first",
    nodes: [drained, ["b"]],
    service: draining("start-first"),
    tasks: [["t1", on("a", 1)]],
    want: ["t1 shutdown", "create 1 running"],
  },
  {
    name: "but not with stop-first",
    nodes: [drained, ["b"]],
    service: draining("stop-first"),
    tasks: [["t1", on("a", 1)]],
    want: ["t1 shutdown", "create 1 ready after t1"],
  },
  {
    name: "moves tasks whose constraints no longer hold",
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
    name: "does not wait for a task whose node is down",
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
    name: "deletes a task to be removed when it has ended or its node is gone or down",
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
    name: "lets a restarted task of a job run to its end when its delay is over",
    service: { mode: { GlobalJob: {} } },
    nodes: [["a"]],
    tasks: [["t1", { node: "a", state: "ready", desired: "ready" }]],
    want: ["t1 complete"],
  },
  {
    name: "plans nothing for a completed job",
    service: { mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } } },
    tasks: [["t1", on("a", 0, { state: "complete", desired: "complete" })]],
    want: [],
  },
  {
    name: "ends a task that would complete a place of a job twice",
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
    want: ["create a complete"],
  },
  {
    name: "stops what still runs of a job's run before",
    service: { mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } } },
    imageBefore: "tiny:0",
    tasks: [["t1", on("a", 0, { desired: "complete" })]],
    want: ["t1 remove", "create 0 complete"],
  },
  {
    name: "keeps so many completed tasks of a job's earlier runs",
    service: { mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } } },
    imageBefore: "tiny:0",
    tasks: ["t1", "t2", "t3", "t4", "t5", "t6"].map((id) => [
      id,
      on("a", 0, { state: "complete", desired: "complete" }),
    ]),
    want: ["create 0 complete", "t1 gone", "t2 gone"],
  },
];

planSuite(rows);

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
  log.write({ kind: "updateService", id: web, spec, basedOn: service.Version.Index });
  const want = ["create 2 ready after t2", "t2 shutdown", "updating [2]: update in progress"];
  assert.deepEqual(plan(log).map(show), want);
});

test("a return to an old spec keeps the tasks that have it", () => {
  const log = logOf({ service: { replicas: 1, image: "tiny:2" }, imageBefore: "tiny:0" });
  log.write({
    kind: "createTask",
    task: aTask("web", "t1", on("a", 1, { template: { ContainerSpec: { Image: "tiny:0" } } })),
  });
  log.write({ kind: "rollbackService", id: web, basedOn: 2, message: "because" });
  assert.deepEqual(plan(log).map(show), ["rollback_completed []: rollback completed"]);
});

test("the tasks of a removed service are removed", () => {
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
