import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodeId, TaskId } from "@gam/core";
import { testId } from "@gam/core/testing";
import type { Change, Event, ServiceSpec } from "@gam/state";
import { aNetwork, aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { type Fact, type Filter, Teller } from "./teller.ts";

const host = (number: number): NodeId => `host${String(number).padStart(21, "0")}` as NodeId;
const task = `m${"352".padStart(24, "0")}` as TaskId;
const web = testId<never>("s7");

/** A service as in the simulator: only its name is readable, not its id. */
const created = {
  ...aService("web", { replicas: 2, image: "app:1" }),
  id: web,
} as const;
const updated = (spec: Partial<ServiceSpec>): Change => ({
  kind: "updateService",
  id: web,
  spec: { ...created.spec, ...spec },
  basedOn: 0,
});
const newTask = {
  kind: "createTask",
  task: aTask(web, task, { slot: 3, extra: { serviceName: "web" } }),
} as const;
const at = "2026-01-01T00:00:00.000000000Z";

/** A log with two hosts, a service and a task. */
class Story {
  readonly log = new TestLog();
  readonly teller = new Teller();
  #nowMs = 0;
  #last: readonly Event[] = [];

  constructor() {
    this.log.write(
      { kind: "joinNode", node: aNode(host(1), { state: "ready" }) },
      { kind: "joinNode", node: aNode(host(5), { state: "ready" }) },
    );
  }

  tell(fact: Fact): this {
    this.#nowMs += 500;
    this.teller.take(this.#nowMs, fact);
    return this;
  }

  /** Applies changes, on host1. */
  apply(...changes: readonly Change[]): this {
    this.#last = this.log.write(...changes).events;
    return this.tell(this.#applied(1));
  }

  /** Applies the last entry on another host, `afterMs` after host1. */
  alsoBy(number: number, afterMs: number): this {
    this.teller.take(this.#nowMs + afterMs, this.#applied(number));
    return this;
  }

  #applied(number: number): Fact {
    const { index } = this.log.store;
    return { kind: "applied", host: host(number), index, events: this.#last, snapshot: false };
  }

  /** Lines without their times. */
  lines(filter?: Filter): string[] {
    return this.teller.lines(filter).map((line) => line.slice(10));
  }
}

const assigned: Change = {
  kind: "assignTask",
  id: task,
  node: host(5),
  status: { Timestamp: at, State: "assigned" },
};

const cases: readonly { name: string; tell: (story: Story) => Story; want: readonly string[] }[] = [
  {
    name: "names objects by what clients call them",
    tell: (story) => story.apply(created).apply(newTask).apply(assigned),
    want: [
      "entry 2: service web created: app:1, 2 replicas  (host1)",
      "entry 3: web.3#352 created, desired running  (host1)",
      "entry 4: web.3#352 assigned to host5  (host1)",
    ],
  },
  {
    name: "says why a task failed, and where",
    tell: (story) =>
      story.apply(created, newTask, assigned).apply({
        kind: "reportTask",
        id: task,
        status: { Timestamp: at, State: "failed", Err: `exit 1 of ${task}` },
      }),
    want: [
      "entry 2: service web created: app:1, 2 replicas; web.3#352 created, desired running; web.3#352 assigned to host5  (host1)",
      "entry 3: web.3#352 failed on host5: exit 1 of web.3#352  (host1)",
    ],
  },
  {
    name: "has one line for an entry, and names the hosts that applied it late",
    tell: (story) =>
      story.apply(created).alsoBy(2, 3).alsoBy(5, 8).alsoBy(3, 12_300).alsoBy(1, 14_000),
    want: [
      "entry 2: service web created: app:1, 2 replicas  (host1, 2 more within 8 ms; host3 after 12.3 s; host1 again after 14.0 s)",
    ],
  },
  {
    name: "has two lines for an entry that does different things on two hosts",
    tell: (story) =>
      story.apply(created).tell({
        kind: "applied",
        host: host(5),
        index: 2,
        events: [],
        snapshot: false,
      }),
    want: [
      "entry 2: service web created: app:1, 2 replicas  (host1)",
      "entry 2: changes nothing  (host5)",
    ],
  },
  {
    name: "says what differs in a service",
    tell: (story) =>
      story.apply(created).apply({
        ...updated({ Mode: { Replicated: { Replicas: 4 } } }),
        basedOn: 2,
      } as Change),
    want: [
      "entry 2: service web created: app:1, 2 replicas  (host1)",
      "entry 3: service web wants app:1, 4 replicas  (host1)",
    ],
  },
  {
    name: "tells what a client asks and gets",
    tell: (story) =>
      story
        .tell({ kind: "asked", request: 7, host: host(5), changes: [created] })
        .tell({
          kind: "answered",
          request: 7,
          host: host(5),
          answer: { kind: "applied", index: 9 },
        })
        .tell({
          kind: "asked",
          request: 8,
          host: host(1),
          changes: [{ kind: "removeService", id: web }],
        })
        .tell({
          kind: "answered",
          request: 8,
          host: host(1),
          answer: { kind: "lost", message: `no leader took it at ${host(1)}` },
        }),
    want: [
      "client 7 asks host5: create service web: app:1, 2 replicas",
      "host5 answers client 7: done with entry 9",
      "client 8 asks host1: remove service web",
      "host1 answers client 8: outcome unknown: no leader took it at host1",
    ],
  },
  {
    name: "replaces ids in mishaps by names, and shortens unknown ids",
    tell: (story) =>
      story
        .apply(created, newTask)
        .tell({ kind: "mishap", text: `container of ${task} on ${host(5)} ends` })
        .tell({ kind: "mishap", text: `${host(12)} and ${testId("net")} go` }),
    want: [
      "entry 2: service web created: app:1, 2 replicas; web.3#352 created, desired running  (host1)",
      "container of web.3#352 on host5 ends",
      "host12 and net go",
    ],
  },
  {
    name: "has one line for notes that several hosts log at about the same time",
    tell: (story) =>
      story
        .tell({ kind: "noted", host: host(1), text: "Leader elected term=3" })
        .tell({ kind: "noted", host: host(5), text: "Leader elected term=3" })
        .tell({ kind: "noted", host: host(2), text: "Leader elected term=4" })
        .tell({ kind: "noted", host: host(3), text: "Leader elected term=3" }),
    want: [
      "Leader elected term=3  (host1, 1 more within 500 ms)",
      "Leader elected term=4  (host2)",
      "Leader elected term=3  (host3)",
    ],
  },
  {
    name: "names the new state of a node, and why",
    tell: (story) => {
      const status = { State: "down", Message: `silent to ${host(1)}` } as const;
      return story
        .apply({ kind: "judgeNode", id: host(5), status })
        .apply({ kind: "removeNode", id: host(5) });
    },
    want: [
      "entry 2: node host5 down: silent to host1  (host1)",
      "entry 3: node host5 deleted  (host1)",
    ],
  },
  {
    name: "says what jobs and networked services want",
    tell: (story) =>
      story.apply(
        { kind: "createNetwork", network: { ...aNetwork("n1"), Name: "net1" } },
        aService("job", { mode: { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 6 } } }),
        aService("api", {
          mode: { Global: {} },
          template: { Networks: [{ Target: "n1" }] },
          endpoint: { Mode: "dnsrr" },
        }),
      ),
    want: [
      "entry 2: network net1 created; service job created: tiny:1, job of 6, 2 at once; service api created: tiny:1, global, on net1, without a VIP  (host1)",
    ],
  },
  {
    name: "has one line for a snapshot",
    tell: (story) => {
      const { events } = story.log.write(created);
      return story.tell({ kind: "applied", host: host(5), index: 2, events, snapshot: true });
    },
    want: ["host5 takes a snapshot of entry 2"],
  },
];

for (const { name, tell, want } of cases) {
  test(`the teller ${name}`, () => assert.deepEqual(tell(new Story()).lines(), want));
}

describe("a filtered story has", () => {
  const story = new Story()
    .tell({ kind: "mishap", text: `${host(5)} loses power` })
    .tell({ kind: "asked", request: 1, host: host(5), changes: [created] })
    .apply(created, aService("db"))
    .tell({ kind: "answered", request: 1, host: host(5), answer: { kind: "applied", index: 2 } })
    .apply(newTask, assigned)
    .alsoBy(5, 4)
    .tell({ kind: "noted", host: host(1), text: `Leader elected leader=${host(5)}` });

  const entry = "entry 3: web.3#352 created, desired running; web.3#352 assigned to host5";
  const filters: readonly { name: string; filter: Filter; want: readonly string[] }[] = [
    {
      name: "one service: its tasks, and requests and answers about it",
      filter: { only: ["web"] },
      want: [
        "client 1 asks host5: create service web: app:1, 2 replicas",
        "entry 2: service web created: app:1, 2 replicas  (host1)",
        "host5 answers client 1: done with entry 2",
        `${entry}  (host1, 1 more within 4 ms)`,
      ],
    },
    {
      name: "only the part of an entry that is about it",
      filter: { only: ["db"] },
      want: ["entry 2: service db created: tiny:1, 1 replica  (host1)"],
    },
    {
      name: "several words",
      filter: { only: ["db", "mishaps"] },
      want: ["host5 loses power", "entry 2: service db created: tiny:1, 1 replica  (host1)"],
    },
    {
      name: "lines about these hosts, and when they applied them",
      filter: { hosts: ["host5"] },
      want: [
        "host5 loses power",
        "client 1 asks host5: create service web: app:1, 2 replicas",
        "host5 answers client 1: done with entry 2",
        "entry 3: web.3#352 assigned to host5  (host1; host5 after 4 ms)",
        "Leader elected leader=host5  (host1)",
      ],
    },
    {
      name: "lines from a moment on",
      filter: { fromMs: 3000 },
      want: ["Leader elected leader=host5  (host1)"],
    },
    {
      name: "what passes all of the filters",
      filter: { fromMs: 1500, only: ["web"], hosts: ["host5"] },
      want: [
        "host5 answers client 1: done with entry 2",
        "entry 3: web.3#352 assigned to host5  (host1; host5 after 4 ms)",
      ],
    },
  ];
  for (const { name, filter, want } of filters) {
    test(name, () => assert.deepEqual(story.lines(filter), want));
  }

  test("and knows every name that a filter can match", () => {
    const { only, hosts } = story.teller.words();
    assert.deepEqual([...only].sort(), ["db", "mishaps", "peers", "services", "web"]);
    assert.deepEqual([...hosts].sort(), ["host1", "host5"]);
  });
});

test("a line begins with its time", () => {
  const teller = new Teller();
  teller.take(12_345, { kind: "mishap", text: "host5 loses power" });
  assert.deepEqual(teller.lines(), ["  12.345  host5 loses power"]);
});
