/** How outdated tasks are replaced. */
import type { ServiceWish } from "@gam/state/testing";
import { on, planSuite, type Row, second, startMs, updatedBy, updating } from "../plan-suite.ts";

const two: ServiceWish = { replicas: 2 };
const one: ServiceWish = { replicas: 1 };
const rolling = { State: "rollback_started" as const, StartedAt: "", Message: "because" };

const rows: readonly Row[] = [
  {
    name: "updates one slot after the other, the old task first",
    service: updatedBy({ Parallelism: 1 }),
    imageBefore: "tiny:0",
    tasks: [1, 2, 3].map((slot) => [`t${slot}`, on("a", slot)] as const),
    want: ["create 1 ready after t1", "t1 shutdown", "updating [1]: update in progress"],
  },
  {
    name: "stops nothing while the replacement would wait for another service, and says so",
    service: { ...two, spec: { Labels: { "gam.depends_on": "db:healthy" } } },
    imageBefore: "tiny:0",
    tasks: [1, 2].map((slot) => [`t${slot}`, on("a", slot)] as const),
    want: ["updating []: update waits for db to be healthy (there is no such service)"],
  },
  {
    name: "goes on when it waits no more",
    service: { ...two, spec: { Labels: { "gam.depends_on": "db?" } } },
    imageBefore: "tiny:0",
    update: { status: { ...updating, Message: "update waits for db to start" }, updated: [] },
    tasks: [1, 2].map((slot) => [`t${slot}`, on("a", slot)] as const),
    want: ["create 1 ready after t1", "t1 shutdown", "updating [1]: update in progress"],
  },
  {
    name: "rolls back without waiting for another service",
    service: { ...one, spec: { Labels: { "gam.depends_on": "db:healthy" } } },
    imageBefore: "tiny:0",
    update: { status: rolling, updated: [] },
    tasks: [["t1", on("a", 1)]],
    want: ["create 1 ready after t1", "t1 shutdown", "rollback_started [1]: because"],
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
    name: "does not go on while the new task is starting",
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
    name: "notes when a wave has settled, and waits for the delay from then on",
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
    name: "does not wait for a time from a wrong clock",
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
    name: "ends an old task that came back, since the new one may need its resources",
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
    name: "completes after the monitoring time",
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
    name: "does not count later failures",
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
    name: "tolerates a share of failures",
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
    name: "rolls back if its failure action says so",
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
    name: "completes at once a rollback that changes nothing",
    service: one,
    update: { status: rolling },
    tasks: [["t1", on("a", 1)]],
    want: ["rollback_completed []: rollback completed"],
  },
  {
    name: "awaits the successor of a task that failed before a rollback",
    service: updatedBy({ Parallelism: 1 }, 2),
    imageBefore: "tiny:0",
    update: { status: rolling },
    tasks: [
      ["t1", on("a", 1, { state: "rejected", desired: "ready" })],
      ["t2", on("b", 2, { extra: second })],
    ],
    want: ["t1 shutdown", "create 1 running", "rollback_started [1]: because"],
  },
  {
    name: "counts the successor of a failed old task in the wave that begins the update",
    service: updatedBy({ Parallelism: 1 }, 2),
    imageBefore: "tiny:0",
    tasks: [
      ["t1", on("a", 1, { state: "failed" })],
      ["t2", on("b", 2)],
    ],
    want: [
      "t1 shutdown",
      "create 1 running",
      "create 2 ready after t2",
      "t2 shutdown",
      "updating [1,2]: update in progress",
    ],
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
];

planSuite(rows);
