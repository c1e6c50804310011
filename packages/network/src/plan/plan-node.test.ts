import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import { keyOf, oddView, TestCluster } from "../testing/index.ts";
import type { NodePlan } from "./node-plan.ts";
import { planNode } from "./plan-node.ts";

function plan(cluster: Pick<TestCluster, "view">, self: string): NodePlan {
  const found = planNode(cluster.view, self as NodeId);
  assert.ok(found !== undefined);
  return found;
}

const port = { Protocol: "tcp", PublishedPort: 8080, TargetPort: 80 } as const;

/** Nodes a, b and c; networks ingress and front; web on a and b. */
function web(labels: Readonly<Record<string, string>> = {}): TestCluster {
  const cluster = new TestCluster();
  for (const name of ["a", "b", "c"]) cluster.node(name);
  cluster.network("ingress", { Ingress: true });
  cluster.network("front");
  cluster.service("web", { networks: ["front"], ports: [port], labels });
  cluster.task("web", "t1", { node: "a" });
  cluster.task("web", "t2", { node: "b" });
  return cluster;
}

test("planNode() lists local and remote addresses, and the path to the remote ones", () => {
  const [front] = plan(web(), "a").networks;
  assert.deepEqual(
    { ...front, engine: undefined },
    {
      id: "front",
      name: "front",
      vni: 4098,
      bridge: "gam-4098",
      vxlan: "gamx-4098",
      subnet: "10.2.0.0/16",
      gateway: "10.2.0.1",
      internal: false,
      ingress: false,
      encrypted: false,
      mtu: 1450,
      vips: ["10.2.1.1"],
      remotes: [
        { address: "10.2.0.2", via: "192.0.2.2" },
        { address: "10.2.0.3", via: "192.0.2.3" },
        { address: "10.2.2.2", via: "192.0.2.2" },
      ],
      bridges: ["10.2.0.2", "10.2.0.3"],
      locals: ["10.2.2.1"],
      engine: undefined,
    },
  );
});

test("planNode() spreads a service over all its tasks, and a port too, unless it prefers the node's", () => {
  const [one, other] = ["10.1.2.1", "10.1.2.2"];
  for (const [preference, self, backends, others] of [
    ["", "a", [one, other], []],
    ["", "b", [one, other], []],
    ["", "c", [one, other], []],
    ["local", "a", [one], [other]],
    ["local", "b", [other], [one]],
    ["local", "c", [one, other], []],
  ] as const) {
    const { services, ports } = plan(web({ "gam.ingress": preference }), self);
    assert.deepEqual(services, [
      {
        key: "4098xweb",
        network: "front",
        vip: "10.2.1.1",
        backends: ["10.2.2.1", "10.2.2.2"],
      },
    ]);
    assert.deepEqual(ports, [
      { key: "tcp8080", protocol: "tcp", published: 8080, target: 80, backends, others },
    ]);
  }
});

test("planNode() sends no connections to a task that does not serve, but still reaches it", () => {
  const cluster = web();
  cluster.task("web", "starting", { node: "b", state: "starting" });
  cluster.task("web", "leaving", { node: "b", desired: "shutdown" });
  cluster.task("web", "ended", { node: "b", state: "complete" });
  cluster.task("web", "waiting");
  const { services, networks } = plan(cluster, "a");
  assert.deepEqual(services[0]?.backends, ["10.2.2.1", "10.2.2.2"]);
  assert.deepEqual(
    networks[0]?.remotes.map(({ address }) => address),
    ["10.2.0.2", "10.2.0.3", "10.2.2.2", "10.2.2.3", "10.2.2.4"],
  );
});

test("planNode() sends no connections to a node that is down", () => {
  const cluster = new TestCluster();
  cluster.node("a");
  cluster.node("b", { state: "down" });
  cluster.network("front");
  cluster.service("web", { networks: ["front"] });
  cluster.task("web", "t1", { node: "b" });
  assert.deepEqual(plan(cluster, "a").services[0]?.backends, []);
});

test("planNode() sends a port's connections only to tasks that listen on its target port", () => {
  const cluster = web();
  const endpoint = { Ports: [{ ...port, TargetPort: 81 }] };
  const [, ingress] = plan(cluster, "a").networks;
  assert.ok(ingress?.ingress);
  cluster.task("web", "old", { node: "c", extra: { endpoint } });
  assert.deepEqual(plan(cluster, "c").ports[0]?.backends, ["10.1.2.1", "10.1.2.2"]);
});

test("planNode() has no service address with dnsrr", () => {
  const cluster = new TestCluster();
  cluster.node("a");
  cluster.network("front");
  cluster.service("web", { networks: ["front"], mode: "dnsrr" });
  assert.deepEqual(plan(cluster, "a").services, []);
  assert.deepEqual(plan(cluster, "a").networks[0]?.vips, []);
});

test("planNode() keeps a client with one task when the service asks for affinity", () => {
  const { services, ports } = plan(web({ "gam.sticky": "client" }), "c");
  assert.equal(services[0]?.affinity?.length, 256);
  assert.equal(ports[0]?.affinity?.length, 256);
  const elsewhere = plan(web({ "gam.sticky": "client" }), "a");
  assert.deepEqual(
    [elsewhere.services, elsewhere.ports],
    [services, ports],
    "the same on every node",
  );
});

test("planNode() is undefined for a node that cannot have networks across hosts", () => {
  const cluster = new TestCluster();
  cluster.node("a");
  cluster.node("sick", { network: { problem: "no vxlan" } });
  cluster.network("front", { nodes: ["sick"] });
  assert.equal(planNode(cluster.view, "gone" as NodeId), undefined);
  assert.equal(planNode(cluster.view, "sick" as NodeId), undefined);
  assert.deepEqual(planNode(cluster.view, "a" as NodeId)?.networks, []);
});

test("planNode() accepts no frames from nodes that take no part, and protects the ports of all", () => {
  const cluster = new TestCluster();
  for (const name of ["a", "b"]) cluster.node(name);
  cluster.node("sick", { network: { problem: "no vxlan" } });
  const { view } = cluster;
  const nodes = view.nodes().map((node) => {
    if (node.ID !== "b") return node;
    const addresses = ["192.0.2.2:7000", "10.9.9.9:7000", "[2001:db8::2]:7000", "b.example:1", "x"];
    return { ...node, Gam: { ...node.Gam, addresses } };
  });
  const { neighbours, walls } = plan({ view: oddView(view, { nodes }) }, "a");
  assert.deepEqual(neighbours, ["192.0.2.2"]);
  assert.deepEqual(walls, {
    tunnelPort: 51820,
    members: ["10.9.9.9", "192.0.2.1", "192.0.2.2", "192.0.2.3"],
    guests: ["192.0.2.2", "192.0.2.3"],
    doors: [
      { address: "192.0.2.1", port: 7946 },
      { address: "192.0.2.2", port: 7000 },
      { address: "10.9.9.9", port: 7000 },
      { address: "192.0.2.3", port: 7946 },
    ],
    doors6: [{ address: "2001:db8::2", port: 7000 }],
    ownDoors: [7946],
  });
});

/** Nodes k1 and k2 encrypt in the kernel, u in userspace, n not at all. */
function mixed(): TestCluster {
  const cluster = new TestCluster();
  cluster.node("k1", { network: { encryption: "kernel" } });
  cluster.node("k2", { network: { encryption: "kernel" } });
  cluster.node("u", { network: { encryption: "userspace" } });
  cluster.node("n");
  cluster.network("open");
  cluster.network("sealed", { Options: { encrypted: "" }, nodes: ["k1", "k2", "u"] });
  return cluster;
}

test("planNode() encrypts when it is cheap, and when the network demands it", () => {
  const cluster = mixed();
  const { networks, neighbours, tunnels } = plan(cluster, "k1");
  assert.deepEqual(
    networks.map(({ remotes, encrypted }) => [encrypted, ...remotes.map(({ via }) => via)]),
    [
      [false, "198.18.0.2", "192.0.2.3", "192.0.2.4"],
      [true, "198.18.0.2", "198.18.0.3"],
    ],
  );
  assert.deepEqual(neighbours, ["192.0.2.3", "192.0.2.4"]);
  assert.deepEqual(tunnels, {
    address: "198.18.0.1",
    publicKey: keyOf("k1"),
    port: 51820,
    mtu: 1420,
    peers: [
      { node: "k2", publicKey: keyOf("k2"), underlay: "192.0.2.2", tunnel: "198.18.0.2" },
      { node: "u", publicKey: keyOf("u"), underlay: "192.0.2.3", tunnel: "198.18.0.3" },
    ],
  });
  assert.equal(plan(cluster, "n").tunnels, undefined);
});

test("planNode() never sends an encrypted network's frames in the clear", () => {
  const cluster = mixed();
  cluster.service("secret", { networks: ["sealed"] });
  cluster.task("secret", "lost", { node: "n" });
  const sealed = plan(cluster, "k1").networks[1];
  assert.ok(sealed?.remotes.every(({ via }) => via.startsWith("198.18.")));
  assert.ok(!sealed?.remotes.some(({ address }) => address === "10.2.2.1"));
});

test("planNode() leads the address that the HTTP proxy asks to the node's own tasks, or else to all", () => {
  const labels = { "gam.http.host": "shop.example.com", "gam.http.port": "8080" };
  const cluster = new TestCluster();
  for (const name of ["a", "b", "c"]) cluster.node(name);
  cluster.network("ingress", { Ingress: true });
  cluster.service("web", { labels });
  cluster.task("web", "t1", { node: "a" });
  cluster.task("web", "t2", { node: "b" });
  const old = { ...labels, "gam.http.port": "80" };
  cluster.task("web", "t3", { node: "c", extra: { serviceLabels: old } });
  cluster.task("web", "t4", { node: "c", state: "starting" });
  const [one, other] = ["10.1.2.1", "10.1.2.2"];
  for (const [self, backends] of [
    ["a", [one]],
    ["b", [other]],
    ["c", [one, other]],
  ] as const) {
    const { services, networks, ports } = plan(cluster, self);
    assert.deepEqual(services, [
      { key: "4097xweb", network: "ingress", vip: "10.1.1.1", backends },
    ]);
    assert.deepEqual(networks[0]?.vips, ["10.1.1.1"]);
    assert.deepEqual(ports, []);
  }
});
