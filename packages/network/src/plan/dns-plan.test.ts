import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { TestCluster } from "../testing/index.ts";
import type { DnsPlan, DnsZone } from "./node-plan.ts";
import { planNode } from "./plan-node.ts";

function dns(cluster: TestCluster, self = "a"): DnsPlan {
  const plan = planNode(cluster.view, self as NodeId);
  assert.ok(plan !== undefined);
  return plan.dns;
}

function zone(cluster: TestCluster, network: string, self = "a"): DnsZone {
  const found = dns(cluster, self).zones.find((one) => one.network === network);
  assert.ok(found !== undefined);
  return found;
}

const port = { Protocol: "tcp", PublishedPort: 8080, TargetPort: 80 } as const;

function world(): TestCluster {
  const cluster = new TestCluster();
  for (const name of ["a", "b"]) cluster.node(name);
  cluster.network("ingress", { Ingress: true });
  cluster.network("front");
  cluster.network("back");
  cluster.service("Web", {
    networks: ["back", { Target: "front", Aliases: ["www"] }],
    ports: [port],
  });
  cluster.service("db", { networks: ["back"], mode: "dnsrr" });
  cluster.service("idle", { networks: ["front"], mode: "dnsrr" });
  cluster.task("Web", "t1", { node: "a" });
  cluster.task("Web", "t2", { node: "b", slot: 2, state: "starting" });
  cluster.task("db", "t3", {
    node: "b",
    template: { ContainerSpec: { Image: "x", Hostname: "db-{{.Task.Slot}}" } },
  });
  cluster.task("db", "t4", { node: "b", slot: 2 });
  cluster.container("front", "a", "tool", ["Spade", "www"]);
  cluster.container("back", "a", "tool");
  return cluster;
}

test("services, aliases, tasks, host names and containers have names, only in their networks", () => {
  assert.deepEqual(Object.fromEntries(zone(world(), "front").names), {
    web: ["10.2.1.1"],
    www: ["10.2.1.1"],
    "tasks.web": ["10.2.2.1"],
    "tasks.www": ["10.2.2.1"],
    idle: [],
    "tasks.idle": [],
    "web.1.t1": ["10.2.2.1"],
    "web.2.t2": ["10.2.2.2"],
    tool: ["10.2.2.3"],
    spade: ["10.2.2.3"],
    "host.docker.internal": ["10.2.0.1"],
    "gateway.docker.internal": ["10.2.0.1"],
  });
  const back = zone(world(), "back").names;
  assert.deepEqual(back.get("db"), ["10.3.2.3", "10.3.2.4"]);
  assert.deepEqual(back.get("tasks.db"), ["10.3.2.3", "10.3.2.4"]);
  assert.deepEqual(back.get("db-1"), ["10.3.2.3"]);
  assert.equal(back.get("www"), undefined);
});

test("an address has the name of its holder and network", () => {
  assert.deepEqual(Object.fromEntries(zone(world(), "front").reverse), {
    "10.2.1.1": "Web.front",
    "10.2.2.1": "Web.1.t1.front",
    "10.2.2.2": "Web.2.t2.front",
    "10.2.2.3": "tool.front",
  });
});

test("a container may query its own networks, in the order of its spec, without ingress", () => {
  assert.deepEqual(
    [...dns(world()).clients],
    [
      ["10.1.2.1", ["back", "front"]],
      ["10.2.2.1", ["back", "front"]],
      ["10.2.2.3", ["back", "front"]],
      ["10.3.2.1", ["back", "front"]],
      ["10.3.2.5", ["back", "front"]],
    ],
  );
});

test("only containers with internal networks alone are confined", () => {
  const cluster = new TestCluster();
  cluster.node("a");
  cluster.network("ingress", { Ingress: true });
  cluster.network("front");
  cluster.network("inner", { Internal: true });
  cluster.service("vault", { networks: ["inner"] });
  cluster.service("both", { networks: ["inner", "front"] });
  cluster.service("shown", { networks: ["inner"], ports: [port] });
  for (const name of ["vault", "both", "shown"]) cluster.task(name, name, { node: "a" });
  cluster.container("inner", "a", "tool");
  cluster.container("inner", "a", "spade");
  cluster.container("front", "a", "spade");
  assert.deepEqual([...dns(cluster).confined], ["10.3.2.1", "10.3.2.4"]);
});

test("ingress answers at its gateway, and has no names of services", () => {
  const { gateway, names } = zone(world(), "ingress", "b");
  assert.equal(gateway, "10.1.0.2");
  assert.deepEqual([...names.keys()], ["host.docker.internal", "gateway.docker.internal"]);
});

test("services that share an alias share its addresses", () => {
  const cluster = new TestCluster();
  cluster.node("a");
  cluster.network("front");
  cluster.service("blue", { networks: [{ Target: "front", Aliases: ["app"] }] });
  cluster.service("green", { networks: [{ Target: "front", Aliases: ["app"] }] });
  assert.deepEqual(zone(cluster, "front").names.get("app"), ["10.1.1.1", "10.1.1.2"]);
});

test("a task's host name never hides a service's name", () => {
  const cluster = new TestCluster();
  cluster.node("a");
  cluster.network("front");
  cluster.service("web", { networks: ["front"] });
  cluster.service("other", { networks: ["front"] });
  const template = { ContainerSpec: { Image: "x", Hostname: "web" } };
  cluster.task("other", "t1", { node: "a", template });
  assert.deepEqual(zone(cluster, "front").names.get("web"), ["10.1.1.1"]);
});

// Every kind of name that Swarm answers, with the network's name and without, asked on the task's host and on another.
for (const self of ["a", "b"]) {
  test(`each name of a task, with its network, is known on node ${self}`, () => {
    const cluster = world();
    cluster.report("t1", "running", { ContainerID: "0123456789abcdef" });
    cluster.report("t3", "running", { ContainerID: "fedcba9876543210" });
    const known = (name: string): string[] =>
      dns(cluster, self)
        .zones.filter(({ names }) => names.has(name))
        .map((one) => one.name);
    const both = ["front", "back"];
    const table: Record<string, string[]> = {
      web: both,
      "tasks.web": both,
      www: ["front"],
      "tasks.www": ["front"],
      "web.1.t1": both,
      "0123456789ab": both,
      db: ["back"],
      "tasks.db": ["back"],
      "db.1.t3": ["back"],
      "db-1": ["back"],
      fedcba987654: ["back"],
      tool: both,
      spade: ["front"],
      ingress: [],
    };
    const found = Object.keys(table).map((name) => [name, known(name).sort()]);
    const want = Object.entries(table).map(([name, networks]) => [name, [...networks].sort()]);
    assert.deepEqual(found, want);
    for (const one of dns(cluster, self).zones) {
      for (const pointer of one.reverse.values()) {
        const [name = "", network] = pointer.toLowerCase().split(/\.(?=[^.]*$)/);
        assert.equal(network, one.name);
        assert.ok(one.names.has(name), `${pointer} has an address`);
      }
    }
  });
}

test("a task without a host name has that of its container", () => {
  const cluster = new TestCluster();
  cluster.node("a");
  cluster.network("front");
  cluster.service("web", { networks: ["front"] });
  cluster.task("web", "t1", { node: "a", state: "starting" });
  cluster.report("t1", "running", { ContainerID: "0123456789abcdef" });
  assert.deepEqual(zone(cluster, "front").names.get("0123456789ab"), ["10.1.2.1"]);
});
