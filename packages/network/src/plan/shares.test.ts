import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import type { View } from "@gam/state";
import fc from "fast-check";
import { oddView, TestCluster, withRollout } from "../testing/index.ts";
import type { NodePlan } from "./node-plan.ts";
import { planNode } from "./plan-node.ts";
import { partsOf } from "./shares.ts";

const port = { Protocol: "tcp", PublishedPort: 8080, TargetPort: 80 } as const;
const versions = { old: 1, fresh: 2 } as const;
type Version = keyof typeof versions;

interface Wish {
  readonly weight?: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** The nodes of the tasks of each version. */
  readonly old?: readonly string[];
  readonly fresh?: readonly string[];
}

/** Nodes a, b and c, and a service of which two versions run. Without a weight there is no rollout. */
function viewOf({ weight, labels = {}, old = [], fresh = [] }: Wish): View {
  const cluster = new TestCluster();
  for (const name of ["a", "b", "c"]) cluster.node(name);
  cluster.network("ingress", { Ingress: true });
  cluster.network("front");
  cluster.service("web", { networks: ["front"], ports: [port], labels });
  for (const [version, nodes] of [["old", old] as const, ["fresh", fresh] as const]) {
    for (const [at, node] of nodes.entries()) {
      const extra = { templateVersion: versions[version] };
      cluster.task("web", `${version}${at}`, { node, extra });
    }
  }
  if (weight === undefined) return cluster.view;
  const rolling = { version: versions.fresh, weight };
  const services = cluster.view.services().map((one) => withRollout(one, rolling));
  return oddView(cluster.view, { services });
}

function planOf(view: View, self = "a"): NodePlan {
  return planNode(view, self as NodeId) ?? assert.fail("no plan");
}

/** Percent of connections that each task gets: by its service's address in front, and by a port of the node. */
function sharesIn(
  view: View,
  self = "a",
): Readonly<Record<"service" | "port", Map<string, number>>> {
  const { services, ports } = planOf(view, self);
  const names = new Map(
    view.tasks().flatMap(({ ID, Gam }) => Gam.attachments.map(({ address }) => [address, ID])),
  );
  const sharesOf = (
    choice: NodePlan["services"][number] | NodePlan["ports"][number] | undefined,
  ) => {
    const shares = new Map<string, number>();
    const slots = choice?.affinity ?? choice?.backends ?? [];
    const parts = choice?.affinity ? undefined : choice?.parts;
    const total = parts?.reduce((sum, part) => sum + part, 0) ?? slots.length;
    for (const [at, address] of slots.entries()) {
      const name = names.get(address) ?? address;
      shares.set(name, (shares.get(name) ?? 0) + (100 * (parts?.[at] ?? 1)) / total);
    }
    return shares;
  };
  return { service: sharesOf(services[0]), port: sharesOf(ports[0]) };
}

function sumOf(shares: ReadonlyMap<string, number>, version: Version): number {
  const own = [...shares].filter(([name]) => name.startsWith(version));
  return own.reduce((sum, [, share]) => sum + share, 0);
}

const rows: readonly (readonly [
  title: string,
  wish: Wish,
  want: Readonly<Record<string, number>>,
  port?: Readonly<Record<string, number>>,
])[] = [
  ["no rollout", { old: ["a", "b"], fresh: ["c"] }, { old0: 33, old1: 33, fresh0: 33 }],
  [
    "a canary of one",
    { weight: 10, old: ["a", "b", "c"], fresh: ["a"] },
    { old0: 30, old1: 30, old2: 30, fresh0: 10 },
  ],
  [
    "weights that are as the numbers",
    { weight: 50, old: ["a"], fresh: ["b"] },
    { old0: 50, fresh0: 50 },
  ],
  [
    "a new version that gets nothing yet",
    { weight: 0, old: ["a", "b"], fresh: ["c"] },
    { old0: 50, old1: 50 },
  ],
  [
    "an old version that gets nothing any more",
    { weight: 100, old: ["a"], fresh: ["c"] },
    { fresh0: 100 },
  ],
  ["an old version without tasks", { weight: 10, fresh: ["c", "b"] }, { fresh0: 50, fresh1: 50 }],
  ["a new version without tasks", { weight: 10, old: ["c"] }, { old0: 100 }],
  [
    "a port that prefers the node's tasks, of each version",
    {
      ...{ weight: 20, labels: { "gam.ingress": "local" } },
      ...{ old: ["a", "b", "a"], fresh: ["b", "c"] },
    },
    { old0: 27, old1: 27, old2: 27, fresh0: 10, fresh1: 10 },
    { old0: 40, old2: 40, fresh0: 10, fresh1: 10 },
  ],
];
for (const [title, wish, want, port] of rows) {
  test(`shares of ${title}`, () => {
    const found = sharesIn(viewOf(wish));
    const rounded = (shares: ReadonlyMap<string, number>) =>
      Object.fromEntries([...shares].map(([name, share]) => [name, Math.round(share)]));
    assert.deepEqual(rounded(found.service), want);
    assert.deepEqual(rounded(found.port), port ?? want);
  });
}

test("a task that gets nothing is no backend, also at other nodes", () => {
  const labels = { "gam.ingress": "local" };
  const { services, ports } = planOf(viewOf({ weight: 0, labels, old: ["a", "b"], fresh: ["c"] }));
  assert.deepEqual(services[0]?.backends, ["10.2.2.1", "10.2.2.2"]);
  assert.deepEqual([ports[0]?.backends, ports[0]?.others], [["10.1.2.1"], ["10.1.2.2"]]);
});

const nodes = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 12 });

test("each version gets its weight, divided evenly, whatever the number of its tasks", () => {
  const weight = fc.integer({ min: 0, max: 100 });
  const labels = fc.record({
    "gam.sticky": fc.constantFrom("client", ""),
    "gam.ingress": fc.constantFrom("local", ""),
  });
  fc.assert(
    fc.property(fc.record({ weight, labels, old: nodes, fresh: nodes }), (wish) => {
      const isSticky = wish.labels["gam.sticky"] !== "";
      // 256 slots round a share to 0.2 points.
      const pointsMax = isSticky ? 0.2 : 1e-9;
      for (const shares of Object.values(sharesIn(viewOf(wish)))) {
        const found = sumOf(shares, "fresh");
        assert.ok(Math.abs(found - wish.weight) <= pointsMax, `${found} % of ${wish.weight}`);
        assert.ok(Math.abs(found + sumOf(shares, "old") - 100) < 1e-9);
        if (isSticky) continue;
        for (const version of ["old", "fresh"] as const) {
          const own = [...shares].filter(([name]) => name.startsWith(version));
          assert.ok(own.every(([, share]) => Math.abs(share - (own[0]?.[1] ?? 0)) < 1e-9));
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("a client that sticks to a task only goes over to the new version, and then stays there", () => {
  fc.assert(
    fc.property(nodes, nodes, (old, fresh) => {
      const labels = { "gam.sticky": "client" };
      const slotsAt = (weight: number | undefined) =>
        planOf(viewOf({ ...(weight !== undefined && { weight }), labels, old, fresh })).services[0];
      const [alone, ...steps] = [
        planOf(viewOf({ labels, old })).services[0],
        ...[0, 10, 50, 90, 100].map(slotsAt),
      ];
      const ofOld = new Set(alone?.backends);
      let before = alone;
      for (const step of steps) {
        for (const slot of Array.from({ length: 256 }, (_, n) => n)) {
          const [was, is] = [before, step].map((one) => one?.affinity?.[slot] ?? one?.backends[0]);
          assert.ok(was === is || (is !== undefined && !ofOld.has(is) && ofOld.has(was as never)));
        }
        before = step;
      }
    }),
    { numRuns: 30 },
  );
});

test("parts are whole, small, and in proportion, however many tasks there are", () => {
  const sizes = fc.integer({ min: 1, max: 10_000 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99 }), sizes, sizes, (weight, old, fresh) => {
      const weights = [
        ...Array<number>(old).fill((100 - weight) * fresh),
        ...Array<number>(fresh).fill(weight * old),
      ];
      const parts = partsOf(weights) ?? weights.map(() => 1);
      const total = parts.reduce((sum, part) => sum + part, 0);
      const ofFresh = parts.slice(old).reduce((sum, part) => sum + part, 0);
      assert.ok(parts.every((part) => Number.isInteger(part) && part >= 0) && total <= 2 ** 20);
      assert.ok(Math.abs((100 * ofFresh) / total - weight) < 0.001);
    }),
  );
});
