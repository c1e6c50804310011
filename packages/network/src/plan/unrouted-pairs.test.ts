import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyPlans } from "../testing/index.ts";
import type { NetworkPlane, NodePlan } from "./node-plan.ts";
import type { Ip4 } from "./safe-values.ts";
import { unroutedPairs } from "./unrouted-pairs.ts";

test("the plans of all nodes together route every pair that shares a network", () => {
  fc.assert(fc.property(anyPlans, (plans) => assert.deepEqual(unroutedPairs(plans), [])));
});

test("no address is both local and remote, listed twice, or a service's as well", () => {
  fc.assert(
    fc.property(anyPlans, (plans) => {
      for (const { networks } of plans) {
        for (const { gateway, vips, locals, remotes } of networks) {
          const all = [gateway, ...vips, ...locals, ...remotes.map(({ address }) => address)];
          assert.equal(new Set(all).size, all.length, all.join(" "));
        }
      }
    }),
  );
});

test("every backend of a service can be reached", () => {
  fc.assert(
    fc.property(anyPlans, (plans) => {
      for (const { networks, services, ports } of plans) {
        const known = new Set(
          networks.flatMap(({ locals, remotes }) => [
            ...locals,
            ...remotes.map(({ address }) => address),
          ]),
        );
        const used = [
          ...services.flatMap(({ backends, affinity = [] }) => [...backends, ...affinity]),
          ...ports.flatMap(({ backends, others, affinity = [] }) => [
            ...backends,
            ...others,
            ...affinity,
          ]),
        ];
        assert.deepEqual(
          used.filter((address) => !known.has(address)),
          [],
        );
      }
    }),
  );
});

const plantable: readonly { name: string; fault: (plan: NodePlan) => NodePlan }[] = [
  {
    name: "an entry is missing",
    fault: (plan) => withNetworks(plan, (one) => ({ ...one, remotes: one.remotes.slice(1) })),
  },
  {
    name: "an entry leads to the wrong node",
    fault: (plan) => {
      return withNetworks(plan, (one) => ({
        ...one,
        remotes: one.remotes.map((remote) => ({ ...remote, via: "192.0.2.99" as Ip4 })),
      }));
    },
  },
  { name: "a node takes nothing in the clear", fault: (plan) => ({ ...plan, neighbours: [] }) },
  {
    name: "a node knows no tunnels of others",
    fault: (plan) => ({
      ...plan,
      ...(plan.tunnels && { tunnels: { ...plan.tunnels, peers: [] } }),
    }),
  },
];

function withNetworks(plan: NodePlan, change: (plane: NetworkPlane) => NetworkPlane): NodePlan {
  return { ...plan, networks: plan.networks.map(change) };
}

for (const { name, fault } of plantable) {
  test(`the planted fault "${name}" is found`, () => {
    const found = fc.check(
      fc.property(anyPlans, ([first, ...rest]) => {
        assert.ok(first !== undefined);
        assert.deepEqual(unroutedPairs([fault(first), ...rest]), []);
      }),
    );
    assert.ok(found.failed);
  });
}
