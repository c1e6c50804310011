import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, ServiceId } from "@gam/core";
import type { Change, Mount, Usage } from "@gam/state";
import { aNode, aService, aTask, type ServiceWish, TestLog } from "@gam/state/testing";
import { planMoves } from "./rebalance.ts";

interface Case {
  readonly title: string;
  /** Nodes with the zone that each is in. */
  readonly nodes: Readonly<Record<string, string>>;
  /** Services, with the nodes of their tasks, in the order of slots. */
  readonly services: Readonly<Record<string, { readonly on: string; readonly wish?: ServiceWish }>>;
  /** CPU in use, in percent; nodes above 85 are hot. */
  readonly cpu?: Readonly<Record<string, number>>;
  /** Age of the tasks, against an hour that they must have. */
  readonly young?: boolean;
  /** `web from a to b`. */
  readonly want: readonly string[];
}

const three = { a: "z1", b: "z1", c: "z2" };
const mounts = (...Mounts: readonly Mount[]): ServiceWish => {
  return { template: { ContainerSpec: { Image: "tiny:1", Mounts } } };
};
const labels = (Labels: Record<string, string>): ServiceWish => ({ spec: { Labels } });
const byZone = {
  template: { Placement: { Preferences: [{ Spread: { SpreadDescriptor: "node.labels.zone" } }] } },
};
const singles = (nodes: string): Case["services"] => {
  return Object.fromEntries(nodes.split(" ").map((on, n) => [`s${n}`, { on }]));
};

const cases: readonly Case[] = [
  { title: "an even spread", nodes: three, services: { web: { on: "a b c" } }, want: [] },
  { title: "one task more", nodes: three, services: { web: { on: "a a b c" } }, want: [] },
  {
    title: "a node that is back gets its share",
    nodes: three,
    services: { web: { on: "a b a b a b" } },
    want: ["web from a to c", "web from b to c"],
  },
  {
    title: "local data stays",
    nodes: three,
    services: { web: { on: "a a a", wish: mounts({ Type: "volume", Source: "d", Target: "/d" }) } },
    want: [],
  },
  {
    title: "folders of the host stay",
    nodes: three,
    services: { web: { on: "a a a", wish: mounts({ Type: "bind", Source: "/d", Target: "/d" }) } },
    want: [],
  },
  {
    title: "a volume that a plugin brings moves",
    nodes: three,
    services: {
      web: {
        on: "a a",
        wish: mounts({
          ...{ Type: "volume", Source: "d", Target: "/d" },
          VolumeOptions: { DriverConfig: { Name: "nfs" } },
        }),
      },
    },
    want: ["web from a to b"],
  },
  {
    title: "a part of a pod stays until its main task goes",
    nodes: three,
    services: {
      web: { on: "a a a" },
      log: { on: "a a a", wish: labels({ "gam.pod": "web" }) },
    },
    want: ["web from a to b", "web from a to c"],
  },
  {
    title: "a pod stays where a part of it has local data",
    nodes: three,
    services: {
      web: { on: "a a a" },
      log: {
        on: "a a a",
        wish: {
          ...labels({ "gam.pod": "web" }),
          ...mounts({ Type: "volume", Source: "d", Target: "/d" }),
        },
      },
    },
    want: [],
  },
  {
    title: "a pod moves only where all of it has room",
    nodes: three,
    services: {
      web: { on: "a a a" },
      log: {
        on: "a a a",
        wish: {
          ...labels({ "gam.pod": "web" }),
          template: { Resources: { Reservations: { NanoCPUs: 5e9 } } },
        },
      },
    },
    want: [],
  },
  {
    title: "a constraint holds",
    nodes: three,
    services: {
      web: {
        on: "a a a",
        wish: { template: { Placement: { Constraints: ["node.labels.zone==z1"] } } },
      },
    },
    want: ["web from a to b"],
  },
  {
    title: "a preference decides before single nodes do",
    nodes: three,
    services: { web: { on: "a b a b", wish: byZone } },
    want: ["web from a to c", "web from b to c"],
  },
  {
    title: "an even spread over zones stays, although a node has more",
    nodes: three,
    services: { web: { on: "a b c c", wish: byZone } },
    want: [],
  },
  { title: "replicas are missing", nodes: three, services: { web: { on: "a a a -" } }, want: [] },
  {
    title: "a global service",
    nodes: three,
    services: { web: { on: "a a a", wish: { mode: { Global: {} } } } },
    want: [],
  },
  {
    title: "many services of one task, and a node without any",
    nodes: three,
    services: singles("a a a a a b b b b b"),
    want: ["s0 from a to c", "s5 from b to c", "s1 from a to c"],
  },
  { title: "nearly as full", nodes: three, services: singles("a a b b c"), want: [] },
  {
    title: "a hot node, and a cool one with as many tasks",
    nodes: { a: "z1", b: "z1" },
    services: singles("a a b"),
    cpu: { a: 95, b: 10 },
    want: ["s0 from a to b"],
  },
  {
    title: "two hot nodes",
    nodes: { a: "z1", b: "z1" },
    services: singles("a a b"),
    cpu: { a: 95, b: 90 },
    want: [],
  },
  {
    title: "a packed service",
    nodes: three,
    services: { web: { on: "a a a", wish: labels({ "gam.strategy": "binpack" }) } },
    want: [],
  },
  {
    title: "a service that must be near another, one that prefers to, and the other one",
    nodes: three,
    services: {
      near: { on: "a a a", wish: labels({ "gam.affinity": "db" }) },
      mostly: { on: "a a a", wish: labels({ "gam.affinity": "~db" }) },
      db: { on: "a a a" },
    },
    want: [],
  },
  {
    title: "a service that must be away from another, and one that prefers to",
    nodes: three,
    services: {
      away: { on: "a a a", wish: labels({ "gam.antiaffinity": "db" }) },
      mostly: { on: "a a a", wish: labels({ "gam.antiaffinity": "~db" }) },
      db: { on: "b" },
    },
    want: ["away from a to c", "mostly from a to c", "away from a to c"],
  },
  {
    title: "a service from which another keeps away, also by an earlier move of the same plan",
    nodes: { a: "z1", b: "z1" },
    services: {
      web: { on: "a a a", wish: labels({ "gam.antiaffinity": "db" }) },
      db: { on: "a a a" },
    },
    want: ["web from a to b", "web from a to b"],
  },
  {
    title: "a service that waits for another",
    nodes: three,
    services: { web: { on: "a a a", wish: labels({ "gam.depends_on": "db" }) } },
    want: [],
  },
  {
    title: "tasks that have just moved",
    nodes: three,
    services: { web: { on: "a a a" } },
    young: true,
    want: [],
  },
];

function logOf({ nodes, services }: Case): TestLog {
  const log = new TestLog();
  for (const [name, zone] of Object.entries(nodes)) {
    log.write({ kind: "joinNode", node: aNode(name, { spec: { Labels: { zone } } }) });
  }
  for (const [name, { on, wish }] of Object.entries(services)) {
    const places = on.split(" ");
    const made = aService(name, { replicas: places.length, ...wish });
    const tasks = places.map((place, index): Change => {
      const slot = index + 1;
      const node = place === "-" ? {} : { node: place };
      const template = made.spec.TaskTemplate;
      return {
        kind: "createTask",
        task: aTask(name, `${name}.${slot}`, { slot, template, ...node }),
      };
    });
    log.write(made, ...tasks);
  }
  return log;
}

for (const one of cases) {
  test(`moves: ${one.title}`, () => {
    const log = logOf(one);
    const usage = new Map(
      Object.entries(one.cpu ?? {}).map(([id, percent]): [NodeId, Usage] => {
        const rest = { memoryBytes: 0, memoryTotalBytes: 1, load: 0, containers: 0, images: [] };
        return [id as NodeId, { cpu: percent / 100, ...rest, diskFreeBytes: 1, atMs: log.nowMs }];
      }),
    );
    const hot = new Set([...usage].flatMap(([id, { cpu }]) => (cpu > 0.85 ? [id] : [])));
    const settledMs = one.young ? 3_600_000 : 0;
    const moves = planMoves(log.store, { nowMs: log.nowMs, usage, hot, settledMs, movesMax: 20 });
    const shown = moves.map(({ service, from, to }) => `${service} from ${from} to ${to}`);
    assert.deepEqual(shown, one.want);
  });
}

test("a service with a move under way, or that failed on a node, is left alone there", () => {
  const services = { web: { on: "a a a" } };
  const log = logOf({ title: "", nodes: three, services, want: [] });
  const facts = {
    nowMs: log.nowMs,
    usage: new Map(),
    hot: new Set<NodeId>(),
    settledMs: 0,
    movesMax: 9,
  };
  const web = "web" as ServiceId;
  assert.deepEqual(planMoves(log.store, { ...facts, busy: new Set([web]) }), []);
  const avoids = (_: ServiceId, node: NodeId) => node === "b";
  const [move] = planMoves(log.store, { ...facts, avoids });
  assert.equal(move?.to, "c");
  assert.equal(move?.reason, "3 tasks of the service are on host-a, 0 on host-c");
});
