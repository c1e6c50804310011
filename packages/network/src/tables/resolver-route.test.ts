import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, NodeId } from "@gam/core";
import type { NodePlan } from "../plan/node-plan.ts";
import { planNode } from "../plan/plan-node.ts";
import { asSafe, TestCluster } from "../testing/index.ts";
import { containerTable } from "./container-table.ts";
import { wholeTable } from "./nft-table.ts";
import { deafTo, type InnerPorts, resolverRoute } from "./resolver-route.ts";

function planOf(): NodePlan {
  const cluster = new TestCluster();
  cluster.node("a");
  cluster.network("ingress", { Ingress: true });
  cluster.network("front");
  cluster.network("back");
  cluster.network("inner", { Internal: true });
  const plan = planNode(cluster.view, "a" as NodeId);
  assert.ok(plan !== undefined);
  return plan;
}

/** Gateways on this node. */
const gateways = { ingress: "10.1.0.1", front: "10.2.0.1", back: "10.3.0.1", inner: "10.4.0.1" };
type Name = keyof typeof gateways;
const ownIn = (name: Name): string => gateways[name].replace(/1$/, "99");
const world = "192.0.2.53";

/** `networks`: "local" is one of the engine's own. `want`: the network whose gateway gets the queries. */
const cases: readonly {
  readonly name: string;
  readonly networks: readonly (Name | "local")[];
  readonly servers: readonly string[];
  readonly want: Name | "none";
}[] = [
  { name: "local, then front", networks: ["local", "front"], servers: [world], want: "front" },
  {
    name: "local, then two",
    networks: ["local", "front", "back"],
    servers: [world],
    want: "front",
  },
  { name: "front alone", networks: ["front"], servers: [gateways.front], want: "none" },
  {
    name: "front, then local",
    networks: ["front", "local"],
    servers: [gateways.front],
    want: "none",
  },
  {
    name: "front and back, front has gone",
    networks: ["back"],
    servers: [gateways.front],
    want: "back",
  },
  {
    name: "local and front, local has gone",
    networks: ["front"],
    servers: [world],
    want: "front",
  },
  { name: "local and front, front has gone", networks: ["local"], servers: [world], want: "none" },
  { name: "front with its own servers", networks: ["front"], servers: [world], want: "front" },
  { name: "inner alone", networks: ["inner"], servers: [gateways.inner], want: "none" },
  {
    name: "inner, then front",
    networks: ["inner", "front"],
    servers: [gateways.inner],
    want: "front",
  },
  {
    name: "front, then inner, front has gone",
    networks: ["inner"],
    servers: [gateways.front],
    want: "inner",
  },
  { name: "local, then inner", networks: ["local", "inner"], servers: [world], want: "none" },
  {
    name: "local, then inner and front",
    networks: ["local", "inner", "front"],
    servers: [world],
    want: "front",
  },
  { name: "a task", networks: ["front", "ingress"], servers: [gateways.front], want: "none" },
  { name: "ingress alone", networks: ["ingress"], servers: [world], want: "none" },
  { name: "no server in its namespace", networks: ["local", "front"], servers: [], want: "none" },
  {
    name: "an odd server",
    networks: ["local", "front"],
    servers: ["x; drop", "2001:db8::1"],
    want: "none",
  },
];
for (const { name, networks, servers, want } of cases) {
  test(`a resolver is brought to the agent: ${name}`, () => {
    const joined = networks.flatMap((one) =>
      one === "local" ? [] : [{ network: one as string as NetworkId, address: ownIn(one) }],
    );
    const isMixed = networks.includes("local");
    const route = resolverRoute(planOf(), joined, { servers, isMixed });
    const gateway = want === "none" ? undefined : gateways[want];
    assert.equal(route?.gateway, gateway);
    if (want !== "none") assert.equal(route?.own, ownIn(want));
  });
}

test("a resolver that asks the host's loopback gets the container's queries only from the agent", () => {
  const plan = planOf();
  const front = "front" as NetworkId;
  const joined = [{ network: front, address: ownIn("front") }];
  const inner = asSafe<InnerPorts>({ udp: 40_001, tcp: 40_002 });
  const resolver = { servers: [], inner, isMixed: true };
  const route = resolverRoute(plan, joined, resolver);
  const text = wholeTable(containerTable(plan, [front], route));
  const names = "meta l4proto { tcp, udp } th dport 53";
  const fromAgent = "ip saddr 10.2.0.1 ip daddr 10.2.0.99";
  for (const line of [
    `ip daddr 127.0.0.11 ${names} dnat to 10.2.0.1`,
    `${fromAgent} udp dport 40001 dnat to 127.0.0.11:40001`,
    `${fromAgent} tcp dport 40001 dnat to 127.0.0.11:40002`,
    'iifname != "lo" ip daddr 127.0.0.0/8 drop',
  ]) {
    assert.ok(text.includes(line), line);
  }
  assert.equal(deafTo(plan, joined, resolver), undefined);
});

test("a container whose resolver asks nobody by IPv4 is deaf to its networks", () => {
  const joined = [{ network: "front" as NetworkId, address: ownIn("front") }];
  for (const [servers, want] of [
    [[], "front"],
    [["2001:db8::1"], "front"],
    [[world], undefined],
  ] as const) {
    assert.equal(deafTo(planOf(), joined, { servers, isMixed: true }), want);
  }
  assert.equal(deafTo(planOf(), [], { servers: [], isMixed: true }), undefined);
});

test("the container's table has the route's rules, and others of the same networks do not", () => {
  const plan = planOf();
  const front = "front" as NetworkId;
  const joined = [{ network: front, address: ownIn("front") }];
  const route = resolverRoute(plan, joined, { servers: [world, "192.0.2.54"], isMixed: true });
  const text = wholeTable(containerTable(plan, [front], route));
  const names = "meta l4proto { tcp, udp } th dport 53";
  assert.ok(text.includes(`ip daddr { 192.0.2.53, 192.0.2.54 } ${names} dnat to 10.2.0.1`));
  assert.ok(text.includes(`ip daddr 10.2.0.1 ${names} ct status dnat snat to 10.2.0.99`));
  assert.ok(!wholeTable(containerTable(plan, [front])).includes("resolver"));
});
