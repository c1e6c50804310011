import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, NodeId, ServiceId, TaskId } from "@gam/core";
import type { Change, PlannedChange, ServiceSpec } from "@gam/state";
import {
  aCluster,
  aNetwork,
  aNode,
  aNodeNetwork,
  aService,
  aTask,
  type TaskWish,
  TestLog,
} from "@gam/state/testing";
import { subnetClashes } from "../plan/subnet.ts";
import { Allocator, planAllocation } from "./allocator.ts";
import { poolUsage } from "./pool-usage.ts";

const [a, b] = ["a", "b"] as NodeId[] as [NodeId, NodeId];
const published = { Ports: [{ TargetPort: 80, PublishedPort: 8080 }] };
const front = { Networks: [{ Target: "front" }] };

/** A leader's allocator for two nodes, and the log that it writes. */
class World {
  readonly log = new TestLog();
  readonly allocator = new Allocator();

  constructor(changes: readonly Change[] = [], cluster: Parameters<typeof aCluster>[0] = {}) {
    this.write(
      { kind: "createCluster", cluster: aCluster(cluster) },
      ...[a, b].map((id): Change => ({ kind: "joinNode", node: aNode(id, { address: id }) })),
    );
    for (const change of changes) this.write(change);
  }

  get store() {
    return this.log.store;
  }

  write(...changes: readonly Change[]): void {
    const { outcome, events } = this.log.write(...changes);
    assert.equal(outcome.kind, "applied", JSON.stringify(outcome));
    for (const event of events) this.allocator.notice(event);
  }

  plan(changesMax?: number): PlannedChange[] {
    const facts = { nowMs: this.log.nowMs, ...(changesMax && { changesMax }) };
    return this.allocator.plan(this.store, facts);
  }

  /** Plans until there is nothing to do. Returns: the kinds of the changes. */
  settle(): string {
    const done: string[] = [];
    for (let round = 0; round < 10; round += 1) {
      const changes = this.plan();
      if (changes.length === 0) return done.join(" ");
      done.push(...changes.map(({ kind }) => kind));
      this.write(...changes);
    }
    return assert.fail(`planning does not come to rest: ${done.join(" ")}`);
  }

  task(service: string, id: string, wish: TaskWish = {}): void {
    this.write({ kind: "createTask", task: aTask(service, id, wish) });
  }

  assign(id: string, node: NodeId): void {
    const status = { Timestamp: "2026-01-01T00:00:00.000Z", State: "assigned" as const };
    const placed = [{ kind: "assignTask" as const, id: id as TaskId, node, status }];
    this.write(...this.allocator.withBridges(this.store, placed, { nowMs: this.log.nowMs }));
  }

  report(id: string, State: "running" | "failed"): void {
    const status = { Timestamp: "2026-01-01T00:00:00.000Z", State };
    this.write({ kind: "reportTask", id: id as TaskId, status });
  }

  update(id: string, change: Partial<ServiceSpec>): void {
    const service = this.store.service(id as ServiceId);
    assert.ok(service);
    const spec = { ...service.Spec, ...change };
    const { Index: basedOn } = service.Version;
    this.write({ kind: "updateService", id: service.ID, spec, basedOn });
  }

  network(name: string) {
    const network = this.store.network(name as NetworkId);
    assert.ok(network);
    return network;
  }

  addresses(id: string): string[] | undefined {
    return this.store.task(id as TaskId)?.Gam.attachments.map(({ address }) => address);
  }

  used(name: string): string {
    const usage = poolUsage(this.store).networks.find((one) => one.name === name);
    return `${usage?.used} of ${usage?.size}`;
  }
}

function create(name: string, change: Parameters<typeof aNetwork>[1] = {}): Change {
  return { kind: "createNetwork", network: aNetwork(name, change) };
}

function within(Subnet: string, more: object = {}): Parameters<typeof aNetwork>[1] {
  return { IPAM: { Driver: "default", Options: null, Config: [{ Subnet, ...more }] } };
}

test("a network gets the lowest free subnet, ingress a larger one, and a VNI that was not just freed", () => {
  const world = new World([create("ingress", { Ingress: true }), create("one"), create("two")]);
  assert.equal(world.settle(), "allocateNetwork allocateNetwork allocateNetwork");
  const shown = () =>
    world.store.networks().map(({ Name, Gam, IPAM }) => {
      const [{ Subnet, Gateway } = {}] = IPAM.Config;
      assert.ok(Gam.vni >= 4097 && !vnis.has(Gam.vni) === !names.has(Name), "a VNI of its own");
      vnis.add(Gam.vni);
      names.add(Name);
      return `${Name} ${Subnet} ${Gateway}`;
    });
  const vnis = new Set<number>();
  const names = new Set<string>();
  assert.deepEqual(shown(), [
    "ingress 10.0.0.0/20 10.0.0.1",
    "one 10.0.16.0/24 10.0.16.1",
    "two 10.0.17.0/24 10.0.17.1",
  ]);
  world.write({ kind: "removeNetwork", id: "one" as NetworkId });
  world.write(create("three"));
  assert.equal(world.settle(), "allocateNetwork");
  assert.equal(shown().at(-1), "three 10.0.16.0/24 10.0.16.1");
});

test("a subnet is not given again while tasks of a removed network may run", () => {
  const world = new World([create("old"), aService("web")]);
  world.settle();
  const attachments = [{ network: "old" as NetworkId, address: "10.0.0.9" }];
  const task = aTask("web", "t1", { node: "a", extra: { attachments } });
  world.write({ kind: "createTask", task });
  world.write({ kind: "removeNetwork", id: "old" as NetworkId });
  world.write(create("new"));
  world.settle();
  assert.equal(world.network("new").IPAM.Config[0]?.Subnet, "10.0.1.0/24");
});

test("a network keeps the subnet, the range and the gateway that it came with", () => {
  const asked = { IPRange: "10.9.0.128/26", Gateway: "10.9.0.254" };
  const world = new World([create("front", within("10.9.0.0/24", asked))]);
  world.settle();
  assert.deepEqual(world.network("front").IPAM.Config, [{ Subnet: "10.9.0.0/24", ...asked }]);
  world.write(aService("web", { template: front }));
  for (let n = 0; n < 60; n += 1) world.task("web", `t${n}`, { template: front });
  world.settle();
  const given = world.store.tasks().flatMap(({ Gam }) => Gam.attachments);
  assert.equal(given.length, 60);
  for (const { address } of given) {
    const last = Number(address.slice("10.9.0.".length));
    assert.ok(last >= 128 && last < 192, address);
  }
});

test("a subnet to which a node has a route is never given, and is refused when a client asks for it", () => {
  const world = new World();
  const { Description, Gam } = aNode("a");
  const network = aNodeNetwork({ routes: ["10.0.0.0/23", "fd00::/64"] });
  const said = { description: Description, addresses: ["10.0.3.9:1"], engine: Gam.engine, network };
  world.write({ kind: "describeNode", id: a, ...said });
  world.write(create("one"), create("two"));
  world.settle();
  const subnets = () => world.store.networks().map(({ IPAM }) => IPAM.Config[0]?.Subnet);
  assert.deepEqual(subnets(), ["10.0.2.0/24", "10.0.4.0/24"]);
  const { outcome } = world.log.write(create("three", within("10.0.1.0/24")));
  assert.ok(outcome.kind === "refused");
  assert.match(outcome.message, /10\.0\.1\.0\/24 overlaps 10\.0\.0\.0\/23, .*"host-a"/);
  assert.deepEqual(subnetClashes(world.store), []);
  world.write({
    kind: "describeNode",
    id: b,
    ...said,
    network: aNodeNetwork({ routes: ["10.0.4.0/22"] }),
  });
  assert.deepEqual(
    subnetClashes(world.store).map(({ network: id, node, route }) => `${id} ${node} ${route}`),
    ["two b 10.0.4.0/22"],
  );
});

test("a network without a free subnet is reported in its tasks, once, and gets the next free one", () => {
  const tight = new World([], { DefaultAddrPool: ["10.5.0.0/24"] });
  tight.write(create("first"), create("front"));
  tight.write(aService("web", { template: front }));
  tight.task("web", "t1", { template: front });
  assert.equal(tight.settle(), "allocateNetwork explainTask");
  assert.equal(
    tight.store.task("t1" as TaskId)?.Status.Err,
    "could not find an available, non-overlapping IPv4 address pool for network front (10.5.0.0/24 in subnets of /24)",
  );
  tight.write({ kind: "removeNetwork", id: "first" as NetworkId });
  assert.equal(tight.settle(), "allocateNetwork setEndpoint attachTask");
});

test("a task gets an address in each of its networks before its node, and the node its bridges with it", () => {
  const world = new World([create("ingress", { Ingress: true }), create("front"), create("back")]);
  const Networks = [{ Target: "back" }, { Target: "front" }, { Target: "back" }];
  world.write(aService("web", { template: { Networks }, endpoint: published }));
  world.task("web", "t1", { template: { Networks }, extra: { endpoint: published } });
  world.settle();
  const task = world.store.task("t1" as TaskId);
  assert.deepEqual(
    task?.Gam.attachments.map(({ network }) => network),
    ["back", "front", "ingress"],
  );
  assert.deepEqual(world.network("front").Gam.gateways, {});
  assert.deepEqual(Object.keys(world.network("ingress").Gam.gateways), ["a", "b"]);
  world.assign("t1", a);
  assert.deepEqual(Object.keys(world.network("front").Gam.gateways), ["a"]);
  assert.deepEqual(Object.keys(world.network("back").Gam.gateways), ["a"]);
  assert.equal(world.settle(), "");
});

test("a global task has its bridge before it is assigned", () => {
  const world = new World([create("front")]);
  world.write(aService("web", { template: front, mode: { Global: {} } }));
  world.task("web", "t1", { template: front, node: a, state: "pending" });
  world.settle();
  assert.deepEqual(Object.keys(world.network("front").Gam.gateways), ["a"]);
});

test("a service has a VIP in each of its networks, as long as it wants one", () => {
  const world = new World([create("front"), create("back")]);
  const Networks = [{ Target: "front" }, { Target: "back" }];
  world.write(aService("web", { template: { Networks } }));
  world.settle();
  const vips = () => world.store.service("web" as ServiceId)?.Endpoint.VirtualIPs;
  const [first, second] = vips() ?? [];
  assert.match(first?.Addr ?? "", /^10\.0\.0\.\d+\/24$/);
  assert.match(second?.Addr ?? "", /^10\.0\.1\.\d+\/24$/);
  world.update("web", { TaskTemplate: { ContainerSpec: { Image: "x" }, ...front } });
  assert.equal(world.settle(), "setEndpoint");
  assert.deepEqual(vips(), [first]);
  world.update("web", { EndpointSpec: { Mode: "dnsrr" } });
  assert.equal(world.settle(), "setEndpoint");
  assert.equal(vips(), undefined);
  assert.equal(world.used("front"), "0 of 253");
});

test("a service with published ports has its first VIP in the ingress network", () => {
  const world = new World([create("ingress", { Ingress: true }), create("front")]);
  world.write(aService("web", { template: front, endpoint: published }));
  world.settle();
  const networks = (): string[] | undefined =>
    world.store
      .service("web" as ServiceId)
      ?.Endpoint.VirtualIPs?.map(({ NetworkID, Addr }) => `${NetworkID} ${Addr}`);
  const [first, second] = networks() ?? [];
  assert.match(first ?? "", /^ingress 10\.0\.\d+\.\d+\/20$/);
  assert.match(second ?? "", /^front 10\.0\.16\.\d+\/24$/);
  world.update("web", { EndpointSpec: { Mode: "vip" } });
  world.settle();
  assert.deepEqual(networks(), [second]);
});

test("a service in one of the engine's own networks, and a task there, need nothing", () => {
  const world = new World([create("ingress", { Ingress: true })]);
  const Networks = [{ Target: "host" }];
  world.write(aService("web", { template: { Networks }, endpoint: published }));
  world.task("web", "t1", { template: { Networks }, extra: { endpoint: published } });
  assert.equal(world.settle(), "allocateNetwork setGateways");
});

test("a task waits with a reason when one of its networks does not exist", () => {
  const world = new World();
  world.write(aService("web"), aService("open", { endpoint: published }));
  world.task("web", "t1", { template: front });
  world.task("open", "t2", { extra: { endpoint: published } });
  assert.equal(world.settle(), "explainTask explainTask");
  const why = (id: string) => world.store.task(id as TaskId)?.Status.Err;
  assert.equal(why("t1"), "network front not found");
  assert.equal(why("t2"), "service needs ingress network, but no ingress network is present");
});

test("an exhausted network is reported once, keeps an address for its first bridge, and goes on", () => {
  const world = new World([create("front", within("10.9.0.0/29"))]);
  world.write(aService("web", { template: front, endpoint: { Mode: "dnsrr" } }));
  for (let n = 1; n <= 6; n += 1) world.task("web", `t${n}`, { template: front });
  world.settle();
  const attached = () => world.store.tasks().filter(({ Gam }) => Gam.attachments.length > 0);
  assert.equal(attached().length, 4);
  assert.equal(
    world.store.task("t6" as TaskId)?.Status.Err,
    "no available IPv4 address in network front (10.9.0.0/29: 5 of 5 in use)",
  );
  assert.equal(world.used("front"), "4 of 5");
  const reaches = (node: NodeId) => world.allocator.reach(world.store)(node, "front" as NetworkId);
  assert.equal(reaches(a), true);
  world.assign("t1", a);
  assert.equal(reaches(a), true);
  assert.equal(reaches(b), false);
  const placed = world.allocator.withBridges(
    world.store,
    [
      {
        kind: "assignTask",
        id: "t2" as TaskId,
        node: b,
        status: { Timestamp: "", State: "assigned" },
      },
    ],
    { nowMs: world.log.nowMs },
  );
  assert.deepEqual(
    placed.map(({ kind }) => kind),
    ["explainTask"],
  );
  assert.equal(world.used("front"), "5 of 5");
  assert.equal(world.settle(), "");
  world.report("t1", "failed");
  world.settle();
  assert.equal(attached().filter(({ ID }) => ID !== "t1").length, 4);
});

test("bridges are removed when nothing of the network is left, but not while a task waits for a node", () => {
  const world = new World([create("front"), aService("web", { template: front })]);
  world.task("web", "t1", { template: front });
  world.settle();
  world.assign("t1", a);
  const before = world.network("front").Gam.gateways;
  world.task("web", "t2", { template: front });
  world.report("t1", "failed");
  assert.equal(world.settle(), "attachTask");
  assert.deepEqual(world.network("front").Gam.gateways, before);
  world.assign("t2", b);
  assert.equal(world.settle(), "setGateways");
  assert.deepEqual(Object.keys(world.network("front").Gam.gateways), ["b"]);
  world.report("t2", "failed");
  world.settle();
  assert.deepEqual(world.network("front").Gam.gateways, {});
});

test("ingress has a bridge on every node while any service publishes a port, also on new nodes", () => {
  const world = new World([create("ingress", { Ingress: true })]);
  assert.equal(world.settle(), "allocateNetwork");
  world.write(aService("web", { endpoint: published }));
  world.settle();
  world.write({ kind: "joinNode", node: aNode("c", { address: "c" }) });
  assert.equal(world.settle(), "setGateways");
  assert.deepEqual(Object.keys(world.network("ingress").Gam.gateways), ["a", "b", "c"]);
  world.write({ kind: "removeNode", id: a });
  assert.deepEqual(Object.keys(world.network("ingress").Gam.gateways), ["b", "c"]);
  world.update("web", { EndpointSpec: {} });
  assert.equal(world.settle(), "setEndpoint setGateways");
  assert.deepEqual(world.network("ingress").Gam.gateways, {});
});

test("the addresses of unwanted tasks on a dead host are freed for good", () => {
  const world = new World([create("front"), aService("web", { template: front })]);
  for (const id of ["t1", "t2"]) world.task("web", id, { template: front });
  world.settle();
  world.assign("t1", a);
  world.assign("t2", a);
  world.settle();
  world.write({ kind: "judgeNode", id: a, status: { State: "down" } });
  assert.equal(world.settle(), "");
  world.write({ kind: "desireTask", id: "t1" as TaskId, desired: "shutdown" });
  assert.equal(world.settle(), "attachTask");
  assert.deepEqual(world.addresses("t1"), []);
  assert.equal(world.addresses("t2")?.length, 1);
  world.write({ kind: "judgeNode", id: a, status: { State: "ready" } });
  world.write({ kind: "desireTask", id: "t2" as TaskId, desired: "shutdown" });
  assert.equal(world.settle(), "");
  world.write({ kind: "judgeNode", id: a, status: { State: "down" } });
  assert.equal(world.settle(), "attachTask setGateways");
  assert.equal(world.used("front"), "1 of 253");
});

test("plain containers get addresses and a bridge, and are removed with their node", () => {
  const world = new World([create("front", { Attachable: true })]);
  const attach = { kind: "attachContainer" as const, network: "front" as NetworkId };
  world.write({ ...attach, key: "k1", node: a, name: "one" });
  world.write({ ...attach, key: "k2", node: b, name: "two" });
  world.settle();
  assert.equal(world.used("front"), "4 of 253");
  assert.deepEqual(Object.keys(world.network("front").Gam.gateways), ["a", "b"]);
  world.write({ kind: "removeNode", id: a });
  assert.equal(world.used("front"), "2 of 253");
  assert.deepEqual(Object.keys(world.network("front").Gam.attachments), ["k2"]);
  world.write({ kind: "detachContainer", network: "front" as NetworkId, key: "k2" });
  assert.equal(world.settle(), "setGateways");
  assert.equal(world.used("front"), "0 of 253");
});

test("a plain container gets the address it asks for, unless another holder got it meanwhile", () => {
  const world = new World([create("front", { Attachable: true })]);
  world.settle();
  const network = "front" as NetworkId;
  const address = world.network("front").IPAM.Config[0]?.Subnet?.replace(/\d+\/\d+$/, "77");
  const attach = { kind: "attachContainer" as const, network, node: a, wish: address };
  world.write({ ...attach, key: "k1", name: "one" });
  world.settle();
  assert.equal(world.network("front").Gam.attachments.k1?.address, address);
  world.write({ kind: "detachContainer", network, key: "k1" });
  // The leader had planned this before the request came.
  world.write({ ...attach, key: "k2", name: "two" });
  world.write({ kind: "setGateways", id: network, gateways: { b: address ?? "" } });
  assert.match(world.settle(), /^refuseAttachment\b/);
  assert.deepEqual(world.network("front").Gam.attachments, {});
});

test("nodes that encrypt get an address inside of tunnels, each its own", () => {
  const world = new World();
  assert.equal(world.settle(), "");
  const { Description, Gam } = aNode("a");
  const network = aNodeNetwork({ encryption: "kernel" });
  const said = { description: Description, addresses: [], engine: Gam.engine, network };
  for (const id of [a, b]) world.write({ kind: "describeNode", id, ...said });
  assert.equal(world.settle(), "setTunnel setTunnel");
  const [first, second] = world.store.nodes().map((node) => node.Gam.tunnel ?? "");
  assert.match(first ?? "", /^198\.1[89]\./);
  assert.notEqual(first, second);
});

test("a plan is never longer than asked for, and the next goes on", () => {
  const world = new World([create("front"), aService("web", { template: front })]);
  for (let n = 0; n < 20; n += 1) world.task("web", `t${n}`, { template: front });
  let plans = 0;
  for (let changes = world.plan(7); changes.length > 0; changes = world.plan(7)) {
    assert.ok(changes.length <= 7);
    world.write(...changes);
    plans += 1;
  }
  assert.equal(plans, 4);
  assert.equal(world.used("front"), "21 of 253");
});

test("a lost plan is planned again, in the same way by a new leader as by the old one", () => {
  const world = new World([create("front"), aService("web", { template: front })]);
  world.task("web", "t1", { template: front });
  for (;;) {
    const changes = world.plan();
    assert.deepEqual(world.plan(), changes);
    const { nowMs } = world.log;
    assert.deepEqual(planAllocation(world.store, { nowMs }), changes);
    if (changes.length === 0) break;
    world.write(...changes);
  }
});
