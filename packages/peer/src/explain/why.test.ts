/** A table of faults, as a peer sees them in the state, and the cause that `gam why` must name first. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ServiceId, TaskId } from "@gam/core";
import type { Change, NodeNetwork, TaskState, View } from "@gam/state";
import { checkWhyReport } from "@gam/state/answers";
import {
  aCluster,
  aNetwork,
  aNode,
  aNodeNetwork,
  aService,
  aTask,
  type ServiceWish,
  TestLog,
} from "@gam/state/testing";
import { Rehearsal } from "./rehearsal.ts";
import { explainWhy, type ObjectReference } from "./why.ts";

const gib = 2 ** 30;
const web: ObjectReference = { kind: "service", id: "web" as ServiceId };
const host = (id: string): ObjectReference => ({ kind: "node", id: id as NodeId });

interface Fault {
  readonly name: string;
  readonly nodes?: readonly Parameters<typeof aNode>[];
  /** By node. */
  readonly networks?: Readonly<Record<string, Partial<NodeNetwork>>>;
  readonly before?: readonly Change[];
  readonly service?: ServiceWish;
  /** What the host of the service's only task reports of it. */
  readonly reported?: { readonly state: TaskState; readonly err: string; readonly exit?: number };
  readonly ask?: ObjectReference;
  readonly want: RegExp;
}

const withoutVxlan = { problem: "The kernel has no VXLAN: run `modprobe vxlan`" };
const reserving = (Reservations: object): ServiceWish => ({
  template: { Resources: { Reservations } },
});
const scheduled = (labels: Readonly<Record<string, string>>): ServiceWish => ({
  mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } },
  spec: { Labels: { "gam.cron": "@yearly", ...labels } },
});
const failed = (err: string, exit = 1) => ({ state: "failed", err, exit }) as const;
const rejected = (err: string) => ({ state: "rejected", err }) as const;
const port80 = { Ports: [{ TargetPort: 80, PublishedPort: 80, PublishMode: "host" as const }] };

const faults: readonly Fault[] = [
  {
    name: "a constraint that no node meets",
    service: { template: { Placement: { Constraints: ["node.labels.disk == ssd"] } } },
    want: /^web\.1: No room on host-a, host-b: scheduling constraints not satisfied: node\.labels\.disk == ssd$/,
  },
  {
    name: "memory that no node has free",
    service: reserving({ MemoryBytes: 16 * gib }),
    want: /^web\.1: No room on host-a, host-b: insufficient resources: memory: 16 GiB asked, 8 GiB of 8 GiB free$/,
  },
  {
    name: "CPUs that others have reserved",
    nodes: [["a"]],
    before: [aService("other", reserving({ NanoCPUs: 3.5e9 }))],
    service: reserving({ NanoCPUs: 1e9 }),
    want: /insufficient resources: CPUs: 1 asked, 0\.5 of 4 free$/,
  },
  {
    name: "room for the parts of a pod",
    before: [
      aService("log", {
        ...reserving({ NanoCPUs: 3.5e9 }),
        spec: { Labels: { "gam.pod": "web" } },
      }),
    ],
    service: reserving({ NanoCPUs: 1e9 }),
    want: /^web\.1: No room on host-a, host-b: insufficient resources: CPUs: 4\.5 asked, 4 of 4 free$/,
  },
  {
    name: "a constraint of a part of a pod",
    before: [
      aService("log", {
        template: { Placement: { Constraints: ["node.labels.disk == ssd"] } },
        spec: { Labels: { "gam.pod": "web" } },
      }),
    ],
    want: /^web\.1: No room on host-a, host-b: log: scheduling constraints not satisfied: node\.labels\.disk == ssd$/,
  },
  {
    name: "a part of a pod without a main service",
    before: [aService("log", { spec: { Labels: { "gam.pod": "nothing" } } })],
    ask: { kind: "service", id: "log" as ServiceId },
    want: /^It runs with the tasks of service nothing, which does not exist$/,
  },
  {
    name: "a part of a pod whose main task has no node",
    before: [aService("log", { spec: { Labels: { "gam.pod": "web" } } })],
    service: reserving({ MemoryBytes: 16 * gib }),
    ask: { kind: "service", id: "log" as ServiceId },
    want: /^It runs with task web\.1, which has no node yet$/,
  },
  {
    name: "a generic resource that is used up",
    service: reserving({
      GenericResources: [{ DiscreteResourceSpec: { Kind: "gpu", Value: 2 } }],
    }),
    want: /insufficient resources: gpu: 2 asked, 0 free$/,
  },
  {
    name: "an image for another processor",
    service: { template: { Placement: { Platforms: [{ Architecture: "arm64", OS: "linux" }] } } },
    want: /unsupported platform: linux\/x86_64, the image is for linux\/arm64$/,
  },
  {
    name: "a port of the host that another task has",
    nodes: [["a"]],
    before: [aService("other", { endpoint: port80 })],
    service: { endpoint: port80 },
    want: /host-mode port already in use: tcp\/80$/,
  },
  {
    name: "more replicas than nodes may have",
    nodes: [["a"]],
    service: { replicas: 2, template: { Placement: { MaxReplicas: 1 } } },
    want: /^web\.2: No room on host-a: max replicas per node limit exceed: 1 run here, the limit is 1$/,
  },
  {
    name: "a plugin that no engine has",
    nodes: [
      [
        "a",
        {
          description: {
            Engine: {
              ...{ EngineVersion: "28.0", Labels: {} },
              Plugins: [{ Type: "Log", Name: "json-file" }],
            },
          },
        },
      ],
    ],
    service: { template: { LogDriver: { Name: "loki" } } },
    want: /missing plugin: log "loki"$/,
  },
  {
    name: "an engine that is too old",
    service: {
      template: { ContainerSpec: { Image: "tiny:1", Healthcheck: { StartInterval: 1e9 } } },
    },
    want: /engine too old: TaskTemplate\.ContainerSpec\.Healthcheck\.StartInterval needs Docker Engine 25\.0/,
  },
  {
    name: "a drained node",
    nodes: [["a", { spec: { Availability: "drain" } }]],
    want: /^web\.1: No room on host-a: not available for new tasks: it is set to drain$/,
  },
  {
    name: "a node that is down",
    nodes: [["a"]],
    before: [
      {
        kind: "judgeNode",
        id: "a" as NodeId,
        status: { State: "down", Message: "does not answer 2 of 3 hosts that probe it" },
      },
    ],
    want: /^web\.1: No room on host-a: not available for new tasks: it is down: does not answer 2 of 3 hosts that probe it$/,
  },
  {
    name: "a node that is down, asked for itself",
    nodes: [["a"]],
    before: [
      { kind: "judgeNode", id: "a" as NodeId, status: { State: "down", Message: "it is lost" } },
    ],
    ask: host("a"),
    want: /^It is down: it is lost$/,
  },
  {
    name: "a node that is paused, asked for itself",
    nodes: [["a", { spec: { Availability: "pause" } }], ["b"]],
    ask: host("a"),
    want: /^Its availability is "pause"\. Run "docker node update --availability active host-a"/,
  },
  {
    name: "an encrypted network without WireGuard",
    nodes: [["a"], ["b", { spec: { Availability: "drain" } }]],
    networks: { b: { encryption: "kernel", publicKey: "k" } },
    before: [{ kind: "createNetwork", network: aNetwork("vault", { Options: { encrypted: "" } }) }],
    service: { template: { Networks: [{ Target: "vault" }] } },
    want: /encrypted networks not supported: "vault"$/,
  },
  {
    name: "a kernel without VXLAN",
    networks: { a: withoutVxlan, b: withoutVxlan },
    before: [{ kind: "createNetwork", network: aNetwork("net") }],
    service: { template: { Networks: [{ Target: "net" }] } },
    want: /networks across hosts not supported: The kernel has no VXLAN/,
  },
  {
    name: "a network whose addresses are used up",
    before: [
      {
        kind: "createNetwork",
        network: aNetwork("tight", {
          IPAM: { Driver: "default", Options: null, Config: [{ Subnet: "10.9.0.0/30" }] },
        }),
      },
    ],
    service: { replicas: 4, template: { Networks: [{ Target: "tight" }] } },
    want: /(waits for an address in network "tight" \(10\.9\.0\.0\/30\)|insufficient network addresses: "tight")/,
  },
  {
    name: "an image that no registry has",
    reported: rejected('No such image: "nowhere:1"'),
    want: /^web\.1: host-[ab] could not run it: No such image: "nowhere:1"$/,
  },
  {
    name: "a command that the image lacks",
    reported: failed('starting container failed: exec: "nope": executable file not found', 127),
    want: /^web\.1: It failed on host-[ab]: starting container failed: exec: "nope": executable file not found$/,
  },
  {
    name: "a container without enough memory",
    reported: failed("task: non-zero exit (137) (killed: out of memory, limit 64 MiB)", 137),
    want: /^web\.1: It failed on host-[ab]: task: non-zero exit \(137\) \(killed: out of memory, limit 64 MiB\)$/,
  },
  {
    name: "a health check that fails",
    reported: failed(
      'task: non-zero exit (143): dockerexec: unhealthy container (last health check: exit 1, "refused")',
      143,
    ),
    want: /unhealthy container \(last health check: exit 1, "refused"\)$/,
  },
  {
    name: "a bind source that the host lacks",
    reported: rejected('invalid mount config for type "bind": bind source path does not exist: /x'),
    want: /could not run it: invalid mount config for type "bind": bind source path does not exist: \/x$/,
  },
  {
    name: "a secret that no manager gives",
    reported: {
      state: "preparing",
      err: 'Cannot get secret "key": no manager answers',
    },
    want: /^web\.1: host-[ab] cannot start it yet: Cannot get secret "key": no manager answers$/,
  },
  {
    name: "a restart policy that gives up",
    service: { template: { RestartPolicy: { Condition: "none" } } },
    reported: failed("task: non-zero exit (1)"),
    want: /^web\.1: It failed on host-[ab]: task: non-zero exit \(1\)$/,
  },
  {
    name: "a service that it depends on and that has no replicas",
    before: [aService("db", { replicas: 0 })],
    service: { spec: { Labels: { "gam.depends_on": "db" } } },
    want: /^web\.1: It waits for db to start \(it has no replicas\)$/,
  },
  {
    name: "a service that is scaled to nothing",
    service: { replicas: 0 },
    want: /^It is scaled to 0 replicas$/,
  },
  {
    name: "a global service that no node is for",
    service: {
      mode: { Global: {} },
      template: { Placement: { Constraints: ["node.role == worker"] } },
    },
    want: /^No node is for this global service$/,
  },
  {
    name: "a task that waits in a crash loop",
    before: [
      aService("loop"),
      {
        kind: "createTask",
        task: aTask("loop", "again", {
          ...{ slot: 1, desired: "ready" },
          extra: {
            crashes: { count: 7, reason: "task: non-zero exit (4)" },
            ...{ startAfterMs: Date.UTC(2100, 0), restart: true },
          },
        }),
      },
      {
        ...{ kind: "assignTask", id: "again" as TaskId, node: "a" as NodeId },
        status: { Timestamp: new Date(0).toISOString(), State: "assigned" },
      },
    ],
    ask: { kind: "task", id: "again" as TaskId },
    want: /^It is started again in \d+ s, by its restart policy, after 7 failures in a row: task: non-zero exit \(4\)$/,
  },
  {
    name: "a job that has completed",
    service: { mode: { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 2 } } },
    want: /^All is as wanted: run 0 has ended with success$/,
  },
  {
    name: "a job that was not due yet",
    service: scheduled({}),
    want: /^All is as wanted: no run was due yet$/,
  },
  {
    name: "a job of which the schedule is suspended",
    service: scheduled({ "gam.cron.suspend": "true" }),
    want: /^Its schedule is suspended, by its label "gam\.cron\.suspend"$/,
  },
  {
    name: "a service of which all is well",
    service: { replicas: 2 },
    want: /^All is as wanted: 2 tasks run$/,
  },
];

function worldOf({
  nodes = [["a"], ["b"]],
  networks = {},
  before = [],
  service,
  reported,
}: Fault): {
  view: View;
  nowMs: number;
} {
  const log = new TestLog();
  log.write({ kind: "createCluster", cluster: aCluster() });
  for (const [id, wish] of nodes) {
    const node = aNode(id, wish);
    const own = aNodeNetwork(networks[id]);
    log.write({ kind: "joinNode", node: { ...node, Gam: { ...node.Gam, network: own } } });
  }
  for (const change of before) {
    const { outcome } = log.write(change);
    assert.equal(outcome.kind, "applied", JSON.stringify(outcome));
  }
  const rehearsal = new Rehearsal(log.store, { usage: new Map(), nowMs: log.nowMs });
  rehearsal.settle(new Set());
  const outcome = rehearsal.propose([aService("web", service)]);
  assert.equal(outcome.kind, "applied", JSON.stringify(outcome));
  if (reported === undefined) rehearsal.settle(new Set(["web" as ServiceId]));
  else report(rehearsal, reported, log.nowMs);
  return { view: rehearsal.view, nowMs: log.nowMs };
}

/** The task gets a node, and its host says this of it. */
function report(
  rehearsal: Rehearsal,
  { state, err, exit }: NonNullable<Fault["reported"]>,
  nowMs: number,
): void {
  const task = aTask("web", "webtask", { slot: 1 });
  rehearsal.propose([{ kind: "createTask", task }]);
  const id = "webtask" as TaskId;
  const Timestamp = new Date(nowMs).toISOString();
  rehearsal.propose([
    { kind: "assignTask", id, node: "a" as NodeId, status: { Timestamp, State: "assigned" } },
    {
      ...{ kind: "reportTask", id },
      status: {
        ...{ Timestamp, State: state, Message: "", Err: err },
        ...(exit !== undefined && {
          ContainerStatus: { ContainerID: "c", PID: 0, ExitCode: exit },
        }),
      },
    },
  ]);
}

for (const fault of faults) {
  test(`explainWhy() of ${fault.name}`, () => {
    const { view, nowMs } = worldOf(fault);
    const facts = { usage: new Map(), nowMs, led: true };
    const found = explainWhy(view, fault.ask ?? web, facts);
    assert.match(found?.causes[0] ?? "nothing", fault.want);
    assert.deepEqual(checkWhyReport(found, "report"), found);
  });
}

test("explainWhy() of a task that waits for its connections, and of the task that waits for it", () => {
  const log = new TestLog();
  const [old, next] = ["old", "new"] as TaskId[] as [TaskId, TaskId];
  const wish = { slot: 1, node: "a" } as const;
  const held = { ...wish, state: "ready", desired: "ready", extra: { after: old } } as const;
  const Err = "waits for 3 open connections to end, 8 s at most";
  const status = { Timestamp: new Date(0).toISOString(), State: "running", Err } as const;
  for (const change of [
    { kind: "createCluster", cluster: aCluster() },
    { kind: "joinNode", node: aNode("a") },
    aService("web"),
    { kind: "createTask", task: aTask("web", old, { ...wish, desired: "shutdown" }) },
    { kind: "reportTask", id: old, status: { ...status, Message: "draining" } },
    { kind: "createTask", task: aTask("web", next, held) },
  ] satisfies Change[]) {
    assert.equal(log.write(change).outcome.kind, "applied");
  }
  const facts = { usage: new Map(), nowMs: log.nowMs, led: true };
  const cause = (id: TaskId) => explainWhy(log.store, { kind: "task", id }, facts)?.causes[0];
  assert.equal(cause(old), `On host-a it ${Err}, before it is stopped`);
  const before = "It waits until the task before it in its place (old) has stopped";
  assert.equal(cause(next), `${before}, which ${Err}`);
});
