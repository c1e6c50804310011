import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, NodeId } from "@gam/core";
import { counterMint, seededRandom } from "@gam/core/testing";
import type { Change, NewNode, NewTask, NodeNetwork, PlannedChange, Usage } from "@gam/state";
import {
  aNetwork,
  aNode,
  aNodeNetwork,
  aService,
  aTask,
  type TaskWish,
  TestLog,
} from "@gam/state/testing";
import { planPlacement } from "./placement.ts";

const gib = 2 ** 30;

/** A task in a network of the cluster, with its address or without one yet. */
const onNet = (attached = true): TaskWish => ({
  template: { Networks: [{ Target: "net" }] },
  extra: {
    attachments: attached ? [{ network: "net" as NetworkId, address: "10.1.0.9" }] : [],
  },
});
const bare = (id: string) => {
  const { network: _, ...Gam } = aNode(id).Gam;
  return { ...aNode(id), Gam };
};
const told = (id: string, network: Partial<NodeNetwork>) => {
  const node = aNode(id);
  return { ...node, Gam: { ...node.Gam, network: aNodeNetwork(network) } };
};

interface World {
  readonly nodes: readonly Parameters<typeof aNode>[];
  readonly tasks: readonly (readonly [service: string, id: string, wish?: TaskWish])[];
  readonly usage?: Readonly<Record<string, Partial<Usage>>>;
}

function logOf({ nodes, tasks }: Pick<World, "nodes" | "tasks">): TestLog {
  const log = new TestLog();
  const services = new Set(tasks.map(([service]) => service));
  log.write(
    ...nodes.map((node): Change => ({ kind: "joinNode", node: aNode(...node) })),
    ...[...services].map((name) => aService(name)),
  );
  log.write(...tasks.map((task): Change => ({ kind: "createTask", task: aTask(...task) })));
  return log;
}

function plan(log: TestLog, usage: World["usage"] = {}): PlannedChange[] {
  const known = Object.entries(usage).map(([id, one]): [NodeId, Usage] => {
    const idle = { cpu: 0, memoryBytes: 0, memoryTotalBytes: 8 * gib, load: 0, containers: 0 };
    const rest = { images: [], diskFreeBytes: gib, atMs: log.nowMs };
    return [id as NodeId, { ...idle, ...rest, ...one }];
  });
  return planPlacement(log.store, { usage: new Map(known), nowMs: log.nowMs });
}

function show(change: PlannedChange): string {
  if (change.kind === "assignTask") {
    const got = (change.generic ?? []).map(({ NamedResourceSpec, DiscreteResourceSpec }) => {
      const { Kind, Value } = NamedResourceSpec ?? DiscreteResourceSpec ?? { Kind: "", Value: 0 };
      return ` ${Kind}=${Value}`;
    });
    return `${change.id} ${change.node}${got.join("")}`;
  }
  if (change.kind === "explainTask") return `${change.id} ${change.status.Err}`;
  return change.kind;
}

const host = { Ports: [{ TargetPort: 80, PublishedPort: 80, PublishMode: "host" as const }] };
const big: TaskWish["template"] = { Resources: { Reservations: { MemoryBytes: 5 * gib } } };
const zones = (zone: string): Parameters<typeof aNode>[1] => ({ spec: { Labels: { zone } } });
const byZone = {
  Placement: { Preferences: [{ Spread: { SpreadDescriptor: "node.labels.zone" } }] },
};
const failed = (id: string, node: string): World["tasks"][number] => [
  "web",
  id,
  { node, slot: 2, state: "failed", desired: "shutdown" },
];
const failedOn = (weights: Readonly<Record<string, number>>): TaskWish => ({
  extra: {
    failedOn: Object.entries(weights).map(([node, weight]) => ({
      node: node as NodeId,
      weight,
      atMs: new TestLog().nowMs,
    })),
  },
});

const gpu = (Value: string) => ({ NamedResourceSpec: { Kind: "gpu", Value } });
const resources = {
  NanoCPUs: 4e9,
  MemoryBytes: gib,
  GenericResources: [
    gpu("x"),
    gpu("y"),
    gpu("z"),
    { DiscreteResourceSpec: { Kind: "ssd", Value: 3 } },
  ],
};
const reserving = (Kind: string, Value: number): TaskWish["template"] => ({
  Resources: { Reservations: { GenericResources: [{ DiscreteResourceSpec: { Kind, Value } }] } },
});
const engineOf = (EngineVersion: string): Parameters<typeof aNode>[1] => ({
  description: { Engine: { EngineVersion, Labels: {}, Plugins: [] } },
});
const startInterval: TaskWish["template"] = {
  ContainerSpec: { Image: "tiny:1", Healthcheck: { StartInterval: 1e9 } },
};

const cases: readonly (World & { name: string; want: readonly string[] })[] = [
  {
    name: "says how many nodes are not available",
    nodes: [
      ["a", { state: "down" }],
      ["b", { spec: { Availability: "pause" } }],
      ["c", { spec: { Availability: "drain" } }],
      ["d", { state: "disconnected" }],
      ["e", { state: "unknown" }],
    ],
    tasks: [["web", "t1"]],
    want: ["t1 no suitable node (5 nodes not available for new tasks)"],
  },
  {
    name: "says so when there are no nodes at all",
    nodes: [],
    tasks: [["web", "t1"]],
    want: ["t1 no suitable node"],
  },
  {
    name: "counts each node with the first filter that it fails, the most failed first",
    nodes: [["a", { state: "down" }], ["b", { spec: { Labels: { disk: "hdd" } } }], ["c"]],
    tasks: [["web", "t1", { template: { Placement: { Constraints: ["node.labels.disk==ssd"] } } }]],
    want: [
      "t1 no suitable node (scheduling constraints not satisfied on 2 nodes; 1 node not available for new tasks)",
    ],
  },
  {
    name: "counts reservations, also of a stopping task, but not of an ended one",
    nodes: [["a"], ["b"]],
    tasks: [
      ["other", "o1", { node: "a", template: big, desired: "shutdown" }],
      ["other", "o2", { node: "b", template: big, state: "complete" }],
      ["web", "t1", { template: big }],
      ["web", "t2", { template: big }],
    ],
    want: ["t1 b", "t2 no suitable node (insufficient resources on 2 nodes)"],
  },
  {
    name: "counts generic resources, named ones by their kind",
    nodes: [
      [
        "a",
        {
          description: {
            Resources: {
              NanoCPUs: 4e9,
              MemoryBytes: gib,
              GenericResources: ["x", "y"].map((Value) => ({
                NamedResourceSpec: { Kind: "gpu", Value },
              })),
            },
          },
        },
      ],
    ],
    tasks: ["t1", "t2"].map((id) => [
      "web",
      id,
      {
        template: {
          Resources: {
            Reservations: {
              GenericResources: [{ DiscreteResourceSpec: { Kind: "gpu", Value: 2 } }],
            },
          },
        },
      },
    ]),
    want: ["t1 a gpu=x gpu=y", "t2 no suitable node (insufficient resources on 1 node)"],
  },
  {
    name: "gives each name of a generic resource to one task, and counts the others",
    nodes: [["a", { description: { Resources: resources } }]],
    tasks: [
      ["old", "o1", { node: "a", template: reserving("gpu", 1), held: [gpu("y")] }],
      [
        "old",
        "o2",
        { node: "a", template: reserving("gpu", 1), held: [gpu("x")], state: "failed" },
      ],
      ["web", "t1", { template: reserving("gpu", 1) }],
      ["web", "t2", { template: reserving("gpu", 1) }],
      ["ssd", "t3", { template: reserving("ssd", 2) }],
      ["ssd", "t4", { template: reserving("ssd", 2) }],
      ["none", "t5", { template: reserving("fpga", 1) }],
    ],
    want: [
      "t1 a gpu=x",
      "t2 a gpu=z",
      "t3 a ssd=2",
      "t4 no suitable node (insufficient resources on 1 node)",
      "t5 no suitable node (insufficient resources on 1 node)",
    ],
  },
  {
    name: "keeps tasks away from engines that are too old for one of their fields",
    nodes: [
      ["a", engineOf("20.10.24+dfsg1")],
      ["b", engineOf("28.2.2")],
    ],
    tasks: [
      ["web", "t1", { template: startInterval }],
      ["web", "t2", { template: startInterval }],
    ],
    want: ["t1 b", "t2 b"],
  },
  {
    name: "says that all engines are too old",
    nodes: [
      ["a", engineOf("20.10.24")],
      ["b", engineOf("24.0.7")],
    ],
    tasks: [["web", "t1", { template: startInterval }]],
    want: [
      "t1 no suitable node (engine too old on 2 nodes: TaskTemplate.ContainerSpec.Healthcheck.StartInterval needs Docker Engine 25.0 or newer)",
    ],
  },
  {
    name: "uses a host port once on each node, and not while a task still holds it",
    nodes: [["a"], ["b"], ["c"]],
    tasks: [
      ["web", "o1", { node: "a", desired: "shutdown", extra: { endpoint: host } }],
      ["web", "t1", { extra: { endpoint: host } }],
      ["web", "t2", { extra: { endpoint: host } }],
      ["web", "t3", { extra: { endpoint: host } }],
    ],
    want: ["t1 b", "t2 c", "t3 no suitable node (host-mode port already in use on 3 nodes)"],
  },
  {
    name: "takes x86_64 and amd64 for the same processor",
    nodes: [["a"]],
    tasks: [
      [
        "web",
        "t1",
        { template: { Placement: { Platforms: [{ Architecture: "amd64", OS: "linux" }] } } },
      ],
      [
        "arm",
        "t2",
        { template: { Placement: { Platforms: [{ Architecture: "arm64", OS: "linux" }] } } },
      ],
    ],
    want: ["t1 a", "t2 no suitable node (unsupported platform on 1 node)"],
  },
  {
    name: "asks for the plugins of volumes and logs, of engines that list any",
    nodes: [
      [
        "a",
        {
          description: {
            Engine: { EngineVersion: "1", Labels: {}, Plugins: [{ Type: "Log", Name: "syslog" }] },
          },
        },
      ],
    ],
    tasks: [
      ["web", "t1", { template: { LogDriver: { Name: "syslog" } } }],
      ["log", "t2", { template: { LogDriver: { Name: "splunk" } } }],
    ],
    want: ["t1 a", "t2 no suitable node (missing plugin on 1 node)"],
  },
  {
    name: "respects the maximum of replicas per node",
    nodes: [["a"], ["b"]],
    tasks: ["t1", "t2", "t3"].map((id) => [
      "web",
      id,
      { template: { Placement: { MaxReplicas: 1 } } },
    ]),
    want: ["t1 a", "t2 b", "t3 no suitable node (max replicas per node limit exceed)"],
  },
  {
    name: "puts fewest of the service first, then the node with the least cost",
    nodes: [["a"], ["b"], ["c"]],
    tasks: [
      ["web", "w1", { node: "b" }],
      ["other", "o1", { node: "a" }],
      ["other", "o2", { node: "a" }],
      ["web", "t1"],
      ["web", "t2"],
      ["web", "t3"],
    ],
    want: ["t1 c", "t2 a", "t3 b"],
  },
  {
    name: "weighs the load that nodes report",
    nodes: [["a"], ["b"]],
    tasks: [["web", "t1"]],
    usage: { a: { cpu: 0.9 }, b: { cpu: 0.1 } },
    want: ["t1 b"],
  },
  {
    name: "ignores an old measurement",
    nodes: [["a"], ["b"]],
    tasks: [["web", "t1"]],
    usage: { a: { cpu: 0.9, atMs: 0 }, b: { cpu: 0.1 } },
    want: ["t1 a"],
  },
  {
    name: "prefers the node that has the image, all else being equal",
    nodes: [["a"], ["b"]],
    tasks: [["web", "t1", { template: { ContainerSpec: { Image: "tiny:1@sha256:00" } } }]],
    usage: { a: {}, b: { images: ["tiny:1"] } },
    want: ["t1 b"],
  },
  {
    name: "spreads over label values first, an absent label being one",
    nodes: [["a", zones("x")], ["b", zones("x")], ["c", zones("y")], ["d"]],
    tasks: ["t1", "t2", "t3", "t4"].map((id) => ["web", id, { template: byZone }]),
    want: ["t1 d", "t2 a", "t3 c", "t4 d"],
  },
  {
    name: "puts nodes where the service keeps failing last",
    nodes: [["a"], ["b"]],
    tasks: [
      ["web", "o1", { node: "b", slot: 1 }],
      ["web", "t1", { slot: 2, ...failedOn({ a: 4 }) }],
    ],
    want: ["t1 b"],
  },
  {
    name: "adds up the failures of all places",
    nodes: [["a"], ["b"]],
    tasks: [
      ["web", "o1", { node: "b", slot: 1, ...failedOn({ a: 2 }) }],
      ["web", "f1", { node: "a", slot: 2, state: "rejected", desired: "shutdown" }],
      ["web", "t1", { slot: 3 }],
    ],
    want: ["t1 b"],
  },
  {
    name: "counts a place's failures once, whatever it keeps of its history",
    nodes: [["a"], ["b"]],
    tasks: [
      ["web", "o1", { node: "b", slot: 1 }],
      ...["f1", "f2"].map((id) => failed(id, "a")),
      ["web", "t1", { slot: 2, ...failedOn({ a: 2 }) }],
    ],
    want: ["t1 a"],
  },
  {
    name: "leaves a task that was made for a node waiting for that node",
    nodes: [["a", { state: "down" }], ["b"]],
    tasks: [
      ["web", "t1", { node: "a", state: "pending" }],
      ["web", "t2", { node: "b", state: "pending" }],
    ],
    want: ["t1 no suitable node (1 node not available for new tasks)", "t2 b"],
  },
  {
    name: "leaves tasks alone that are no longer wanted, or that have a node",
    nodes: [["a"]],
    tasks: [
      ["web", "t1", { desired: "shutdown" }],
      ["web", "t2", { node: "a", state: "assigned" }],
    ],
    want: [],
  },
];

for (const { name, want, usage, ...world } of cases) {
  test("a task that wants all GPUs of a host gets them, and shares none", () => {
    const log = new TestLog();
    const GenericResources = ["g1", "g2"].map((Value) => ({
      NamedResourceSpec: { Kind: "NVIDIA-GPU", Value },
    }));
    const Resources = { NanoCPUs: 4e9, MemoryBytes: gib, GenericResources };
    const one = [{ DiscreteResourceSpec: { Kind: "NVIDIA-GPU", Value: 1 } }];
    const template = { Resources: { Reservations: { GenericResources: one } } };
    const serviceLabels = { "gam.container.gpus.all": "true" };
    const all = { template, extra: { serviceLabels } };
    log.write({ kind: "joinNode", node: aNode("a", { description: { Resources } }) });
    log.write({ kind: "joinNode", node: aNode("none") });
    log.write(aService("all"), aService("one"));
    log.write({ kind: "createTask", task: aTask("all", "t1", { slot: 1, ...all }) });
    const [first] = plan(log);
    assert.ok(first?.kind === "assignTask" && first.node === "a");
    assert.deepEqual(first.generic, GenericResources);
    log.write(first);
    log.write({ kind: "createTask", task: aTask("one", "t2", { slot: 1, template }) });
    log.write({ kind: "createTask", task: aTask("all", "t3", { slot: 2, ...all }) });
    const kinds = plan(log).map(({ kind }) => kind);
    assert.deepEqual(kinds, ["explainTask", "explainTask"]);
  });

  test(`planPlacement() ${name}`, () => {
    const log = logOf(world);
    const changes = plan(log, usage);
    assert.deepEqual(changes.map(show), want);
    log.write(...changes);
    assert.deepEqual(plan(log, usage), [], "planned again it says nothing");
  });
}

test("planPlacement() never reserves more than a node has, and spreads evenly", () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const random = seededRandom(seed);
    const mint = counterMint("t");
    const nodes = 1 + random.below(6);
    const cpus = 1 + random.below(4);
    const tasks = Array.from({ length: 40 }, (): NewTask => {
      const service = `s${random.below(3)}`;
      const NanoCPUs = Number(service.slice(1)) * 5e8;
      const template = { Resources: { Reservations: { NanoCPUs } } };
      return aTask(service, mint.id(), { template, extra: { templateVersion: 1 } });
    });
    const log = new TestLog();
    const Resources = { NanoCPUs: cpus * 1e9, MemoryBytes: gib };
    for (let n = 0; n < nodes; n += 1) {
      log.write({ kind: "joinNode", node: aNode(`n${n}`, { description: { Resources } }) });
    }
    log.write(aService("s0"), aService("s1"), aService("s2"));
    log.write(...tasks.map((task): Change => ({ kind: "createTask", task })));
    log.write(...plan(log));
    const free = log.store.tasksOf(tasks[0]?.ServiceID as NewTask["ServiceID"]).length;
    assert.ok(free > 0);
    for (const node of log.store.nodes()) {
      const held = log.store
        .tasksOn(node.ID)
        .reduce((sum, { Spec }) => sum + (Spec.Resources?.Reservations?.NanoCPUs ?? 0), 0);
      assert.ok(held <= cpus * 1e9, `seed ${seed}: ${node.ID} promised ${held}`);
    }
    const counts = log.store
      .nodes()
      .map(({ ID }) => log.store.tasksOn(ID).filter((task) => task.ServiceID === "s0").length);
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `seed ${seed}: ${counts}`);
  }
});

test("planPlacement() stops at its limit, and the next plan continues", () => {
  const tasks = Array.from({ length: 5 }, (_, n) => ["web", `t${n}`] as const);
  const log = logOf({ nodes: [["a"]], tasks });
  const facts = { usage: new Map(), nowMs: log.nowMs, changesMax: 3 };
  const first = planPlacement(log.store, facts);
  assert.equal(first.length, 3);
  log.write(...first);
  assert.equal(planPlacement(log.store, facts).length, 2);
});

test("planPlacement() looks at no more tasks of a group than its limit allows", () => {
  class Counted extends Map<NodeId, Usage> {
    asked = 0;
    override get(id: NodeId): Usage | undefined {
      this.asked += 1;
      return super.get(id);
    }
  }
  const tasks = Array.from({ length: 50 }, (_, n) => ["web", `t${n}`] as const);
  const log = logOf({ nodes: [["a"]], tasks });
  const usage = new Counted();
  const planned = planPlacement(log.store, { usage, nowMs: log.nowMs, changesMax: 3 });
  assert.equal(planned.length, 3);
  // Once to rank the node, and once for each task that it gets.
  assert.equal(usage.asked, 4);
});

test("tasks whose reason is already reported leave the plan's limit to others", () => {
  const wish = { template: { Placement: { Constraints: ["node.id==nowhere"] } } };
  const tasks = Array.from({ length: 5 }, (_, n) => ["web", `t${n}`, wish] as const);
  const log = logOf({ nodes: [["a"]], tasks });
  const facts = { usage: new Map(), nowMs: log.nowMs, changesMax: 2 };
  const told: string[] = [];
  for (let n = 0; n < 3; n += 1) {
    const planned = planPlacement(log.store, facts);
    told.push(...planned.map((change) => (change.kind === "explainTask" ? change.id : "")));
    log.write(...planned);
  }
  assert.deepEqual(told, ["t0", "t1", "t2", "t3", "t4"]);
  assert.deepEqual(planPlacement(log.store, facts), []);
});

const onNetworks: readonly {
  readonly name: string;
  readonly nodes: readonly NewNode[];
  readonly encrypted?: boolean;
  readonly attached?: boolean;
  /** Nodes without a bridge in a network that has no address left. */
  readonly unreached?: readonly string[];
  readonly want: readonly string[];
}[] = [
  {
    name: "leaves alone a task that has no address yet",
    nodes: [aNode("a")],
    attached: false,
    want: [],
  },
  {
    name: "gives no node that cannot take part in networks, and names the problem of one",
    nodes: [told("a", { problem: "no nft" }), told("b", { problem: "no nft" })],
    want: ["t1 no suitable node (networks across hosts not supported on 2 nodes: no nft)"],
  },
  {
    name: "gives no node that has not reported what it can do",
    nodes: [bare("a")],
    want: [
      "t1 no suitable node (networks across hosts not supported on 1 node: the node has not reported yet what it can do)",
    ],
  },
  { name: "gives the node that can", nodes: [bare("a"), aNode("b")], want: ["t1 b"] },
  {
    name: "gives no node that cannot encrypt to a network that demands it",
    nodes: [aNode("a"), told("b", { problem: "no nft", encryption: "kernel" })],
    encrypted: true,
    want: [
      "t1 no suitable node (networks across hosts not supported on 1 node: no nft; encrypted networks not supported on 1 node)",
    ],
  },
  {
    name: "gives the node that can encrypt, in the kernel or in userspace",
    nodes: [aNode("a"), told("b", { encryption: "userspace" })],
    encrypted: true,
    want: ["t1 b"],
  },
  {
    name: "gives no node for whose bridge there is no address",
    nodes: [aNode("a"), aNode("b")],
    unreached: ["a", "b"],
    want: ["t1 no suitable node (insufficient network addresses on 2 nodes)"],
  },
];

for (const { name, nodes, encrypted, attached, unreached = [], want } of onNetworks) {
  test(`planPlacement() ${name}`, () => {
    const log = new TestLog();
    log.write(...nodes.map((node): Change => ({ kind: "joinNode", node })));
    const Options = encrypted ? { encrypted: "" } : null;
    // Nodes may lose what they had when the network was made.
    const able = { kind: "joinNode" as const, node: told("able", { encryption: "kernel" }) };
    log.write(able);
    log.write({ kind: "createNetwork", network: aNetwork("net", { Options }) });
    log.write({ kind: "removeNode", id: able.node.ID });
    log.write(aService("web", onNet()));
    log.write({ kind: "createTask", task: aTask("web", "t1", onNet(attached)) });
    const reaches = (node: NodeId) => !unreached.includes(node);
    const facts = { usage: new Map(), nowMs: log.nowMs, reaches };
    assert.deepEqual(planPlacement(log.store, facts).map(show), want);
  });
}

test("a task that was made for a node decides nothing for the others of its service", () => {
  for (const order of [
    ["made", "free"],
    ["free", "made"],
  ]) {
    const wishes: Record<string, TaskWish> = { made: { slot: 1, node: "a" }, free: { slot: 2 } };
    const log = logOf({
      nodes: [["a", { spec: { Availability: "drain" } }], ["b"]],
      tasks: order.map((id) => ["web", id, { ...wishes[id], state: "pending" }] as const),
    });
    const assigned = plan(log).filter((change) => change.kind === "assignTask");
    assert.deepEqual(
      assigned.map(({ id, node }) => `${id} ${node}`),
      ["free b"],
    );
  }
});
