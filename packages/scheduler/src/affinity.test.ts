/** Neighbours: gam.affinity, gam.antiaffinity and gam.strategy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import type { Change, Labels } from "@gam/state";
import { aNode, aService, aTask, type TaskWish, TestLog } from "@gam/state/testing";
import fc from "fast-check";
import { planPlacement } from "./placement.ts";

type Nodes = Readonly<Record<string, Labels>>;

interface Row {
  readonly name: string;
  readonly nodes?: Nodes;
  /** Labels of each service. */
  readonly services: Readonly<Record<string, Labels>>;
  readonly tasks: readonly (readonly [service: string, id: string, wish?: TaskWish])[];
  readonly want: readonly string[];
}

const three: Nodes = { a: {}, b: {}, c: {} };
const zones: Nodes = { a: { zone: "x" }, b: { zone: "x" }, c: { zone: "y" }, d: {} };
const near = (to: string, by?: string): Labels => ({
  "gam.affinity": to,
  ...(by && { "gam.affinity.by": by }),
});
const far = (to: string, by?: string): Labels => ({
  "gam.antiaffinity": to,
  ...(by && { "gam.antiaffinity.by": by }),
});

const rows: readonly Row[] = [
  {
    name: "places near another service",
    services: { web: near("db"), db: {} },
    tasks: [
      ["db", "d", { node: "c" }],
      ["web", "t1"],
      ["web", "t2"],
    ],
    want: ["t1 c", "t2 c"],
  },
  {
    name: "says which neighbour is missing",
    services: { web: near("db"), db: {} },
    tasks: [["web", "t1"]],
    want: ["t1 no suitable node (affinity to service db not satisfied on 3 nodes)"],
  },
  {
    name: "says that a neighbour does not exist",
    services: { web: near("db") },
    tasks: [["web", "t1"]],
    want: [
      "t1 no suitable node (affinity to service db (there is no such service) not satisfied on 3 nodes)",
    ],
  },
  {
    name: "ignores a neighbour that leaves",
    services: { web: near("db"), db: {} },
    tasks: [
      ["db", "d", { node: "a", desired: "shutdown" }],
      ["db", "e", { node: "b" }],
      ["web", "t1"],
    ],
    want: ["t1 b"],
  },
  {
    name: "keeps all tasks of a service in one place, wherever the first one is",
    services: { web: near("web") },
    tasks: [
      ["web", "t1"],
      ["web", "t2"],
      ["web", "t3"],
    ],
    want: ["t1 a", "t2 a", "t3 a"],
  },
  {
    name: "keeps tasks of a service apart, and says when there is no node left",
    nodes: { a: {}, b: {} },
    services: { web: far("web") },
    tasks: [
      ["web", "t1"],
      ["web", "t2"],
      ["web", "t3"],
    ],
    want: [
      "t1 a",
      "t2 b",
      "t3 no suitable node (anti-affinity to service web not satisfied on 2 nodes)",
    ],
  },
  {
    name: "keeps zones apart; a node without the label is a zone of its own",
    nodes: zones,
    services: { web: far("web", "node.labels.zone") },
    tasks: [
      ["web", "t1"],
      ["web", "t2"],
      ["web", "t3"],
    ],
    want: ["t1 a", "t2 c", "t3 d"],
  },
  {
    name: "places in the zone of another service",
    nodes: zones,
    services: { web: near("db", "node.labels.zone"), db: {} },
    tasks: [
      ["db", "d", { node: "a" }],
      ["web", "t1"],
      ["web", "t2"],
    ],
    want: ["t1 b", "t2 a"],
  },
  {
    name: "keeps a service away that another one avoids",
    services: { db: far("web"), web: {} },
    tasks: [
      ["db", "d", { node: "a" }],
      ["db", "e", { node: "b" }],
      ["web", "t1"],
      ["web", "t2"],
    ],
    want: ["t1 c", "t2 c"],
  },
  {
    name: "keeps two services apart that are placed at once",
    nodes: { a: {}, b: {} },
    services: { db: far("web"), web: {} },
    tasks: [
      ["db", "d"],
      ["web", "t1"],
      ["web", "t2"],
    ],
    want: ["d a", "t1 b", "t2 b"],
  },
  {
    name: "prefers, and goes elsewhere",
    nodes: { a: { disk: "hdd" }, b: { disk: "ssd" } },
    services: { web: near("~node.labels.disk==ssd") },
    tasks: [
      ["web", "t1"],
      [
        "web",
        "t2",
        { template: { Placement: { Constraints: ["node.id==a"] } }, extra: { templateVersion: 9 } },
      ],
    ],
    want: ["t1 b", "t2 a"],
  },
  {
    name: "avoids nodes with a property",
    nodes: { a: { disk: "hdd" }, b: { disk: "ssd" } },
    services: { web: far("node.labels.disk==hdd") },
    tasks: [
      ["web", "t1"],
      ["web", "t2"],
    ],
    want: ["t1 b", "t2 b"],
  },
  {
    name: "fills the fullest node that has room",
    services: { web: { "gam.strategy": "binpack" }, db: {} },
    tasks: [
      ["db", "d", { node: "b" }],
      ["web", "t1"],
      ["web", "t2"],
    ],
    want: ["t1 b", "t2 b"],
  },
];

function logOf({ nodes = three, services, tasks }: Omit<Row, "name" | "want">): TestLog {
  const log = new TestLog();
  log.write(
    ...Object.entries(nodes).map(([id, Labels]): Change => {
      return { kind: "joinNode", node: aNode(id, { spec: { Labels } }) };
    }),
    ...Object.entries(services).map(([name, Labels]) => aService(name, { spec: { Labels } })),
  );
  log.write(...tasks.map((task): Change => ({ kind: "createTask", task: aTask(...task) })));
  return log;
}

for (const { name, want, ...world } of rows) {
  test(`the scheduler ${name}`, () => {
    const log = logOf(world);
    const facts = { usage: new Map(), nowMs: log.nowMs };
    const planned = planPlacement(log.store, facts);
    const shown = planned.map((change) => {
      if (change.kind === "assignTask") return `${change.id} ${change.node}`;
      return change.kind === "explainTask" ? `${change.id} ${change.status.Err}` : change.kind;
    });
    assert.deepEqual(shown, want);
    log.write(...planned);
    assert.deepEqual(planPlacement(log.store, facts), []);
  });
}

const names = ["s0", "s1", "s2", "s3"];
const worlds = fc.record({
  avoids: fc.tuple(...names.map(() => fc.subarray(names))),
  byZone: fc.tuple(...names.map(() => fc.boolean())),
  tasks: fc.array(fc.constantFrom(...names), { maxLength: 12 }),
});

test("whatever is placed, no service is beside one that either of them avoids", () => {
  fc.assert(
    fc.property(worlds, ({ avoids, byZone, tasks }) => {
      const by = (at: number): string | undefined => (byZone[at] ? "node.labels.zone" : undefined);
      const services = Object.fromEntries(
        names.map((name, at) => [name, far(avoids[at]?.join(",") ?? "", by(at))]),
      );
      const log = logOf({ nodes: zones, services, tasks: [] });
      for (const [n, name] of tasks.entries()) {
        // One after the other or several at once, so that plans see placed and waiting neighbours.
        log.write({ kind: "createTask", task: aTask(name, `t${n}`) });
        if (n % 3 !== 0) continue;
        log.write(...planPlacement(log.store, { usage: new Map(), nowMs: log.nowMs }));
      }
      log.write(...planPlacement(log.store, { usage: new Map(), nowMs: log.nowMs }));
      const placed = log.store.tasks().filter(({ Status }) => Status.State === "assigned");
      const zoneOf = (id: NodeId | undefined): string => zones[id ?? ""]?.zone ?? `none of ${id}`;
      for (const one of placed) {
        const at = names.indexOf(one.ServiceID);
        for (const other of placed) {
          if (other === one || !avoids[at]?.includes(other.ServiceID)) continue;
          const areaOf = by(at) === undefined ? String : zoneOf;
          assert.notEqual(areaOf(one.NodeID as NodeId), areaOf(other.NodeID as NodeId));
        }
      }
    }),
  );
});
