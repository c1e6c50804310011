import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, NodeId, ServiceId, TaskId } from "@gam/core";
import type { Change, RefusalCode } from "../log/change.ts";
import { aNetwork, aNode, aNodeNetwork, aService, aTask, TestLog } from "../testing/index.ts";

const web = "web" as ServiceId;
const a = "a" as NodeId;
const t1 = "t1" as TaskId;
const network = (name: string): Change => ({ kind: "createNetwork", network: aNetwork(name) });
const onNetwork = { template: { Networks: [{ Target: "net" }] } };
const mayFail = { spec: { UpdateConfig: { FailureAction: "rollback" as const } } };
const published = (PublishedPort: number) => ({
  endpoint: { Ports: [{ TargetPort: 80, PublishedPort }] },
});
const net = "net" as NetworkId;
const attachable: Change = {
  kind: "createNetwork",
  network: aNetwork("net", { Attachable: true }),
};
const attach = (key: string): Change => {
  return { kind: "attachContainer", network: net, key, node: a, name: `shell-${key}` };
};
const ingress = (name: string): Change => {
  return { kind: "createNetwork", network: aNetwork(name, { Ingress: true }) };
};
const within = (name: string, Subnet: string): Change => {
  const IPAM = { Driver: "default", Options: null, Config: [{ Subnet }] };
  return { kind: "createNetwork", network: aNetwork(name, { IPAM }) };
};
const routed = (route: string) => {
  const node = aNode("a");
  return { ...node, Gam: { ...node.Gam, network: aNodeNetwork({ routes: [route] }) } };
};
/** One address each for a node, a service, a task and a container. */
const crowded: readonly Change[] = [
  { kind: "joinNode", node: aNode("a") },
  {
    kind: "createNetwork",
    network: aNetwork("net", {
      Attachable: true,
      IPAM: { Driver: "default", Options: null, Config: [{ Subnet: "10.1.0.0/24" }] },
    }),
  },
  { kind: "setGateways", id: net, gateways: { a: "10.1.0.2" } },
  aService("web", onNetwork),
  {
    kind: "setEndpoint",
    id: web,
    endpoint: { Spec: {}, VirtualIPs: [{ NetworkID: "net", Addr: "10.1.0.3/24" }] },
  },
  {
    kind: "createTask",
    task: aTask("web", "t1", {
      slot: 1,
      extra: { attachments: [{ network: net, address: "10.1.0.4" }] },
    }),
  },
  { ...attach("k"), wish: "10.1.0.5" } as Change,
];
/** An update that removes the service's networks, as the third log entry. */
const leave = (name: string): Change => {
  const { spec } = aService(name, mayFail);
  return { kind: "updateService", id: name as ServiceId, spec, basedOn: 2 };
};

const refusals: readonly {
  readonly name: string;
  readonly before: readonly Change[];
  readonly change: Change;
  readonly code: RefusalCode;
  readonly message: string;
}[] = [
  {
    name: "removing a network of a possible rollback",
    before: [network("net"), aService("web", { ...onNetwork, ...mayFail }), leave("web")],
    change: { kind: "removeNetwork", id: net },
    code: "IN_USE",
    message: "network net is in use by service web",
  },
  {
    name: "a service on a network that was removed",
    before: [],
    change: aService("web", onNetwork),
    code: "NOT_FOUND",
    message: "network net not found",
  },
  {
    name: "a subnet that overlaps another network's",
    before: [within("net", "10.1.0.0/16")],
    change: within("other", "10.1.7.0/24"),
    code: "IN_USE",
    message:
      'Cannot create network "other": subnet 10.1.7.0/24 overlaps 10.1.0.0/16 of network "net"',
  },
  {
    name: "a subnet that a node has a route to",
    before: [{ kind: "joinNode", node: routed("10.1.0.0/16") }],
    change: within("net", "10.1.7.0/24"),
    code: "IN_USE",
    message:
      'Cannot create network "net": subnet 10.1.7.0/24 overlaps 10.1.0.0/16, to which node "host-a" has a route',
  },
  {
    name: "a subnet that a node's own address is in",
    before: [{ kind: "joinNode", node: aNode("a", { address: "10.1.7.9" }) }],
    change: within("net", "10.1.7.0/24"),
    code: "IN_USE",
    message:
      'Cannot create network "net": subnet 10.1.7.0/24 overlaps 10.1.7.9, the address of node "host-a"',
  },
  {
    name: "a subnet that encrypted tunnels use",
    before: [],
    change: within("net", "198.19.0.0/24"),
    code: "IN_USE",
    message:
      'Cannot create network "net": subnet 198.19.0.0/24 overlaps 198.18.0.0/15, the encrypted tunnels',
  },
  {
    name: "a network that must be encrypted when no node can encrypt",
    before: [{ kind: "joinNode", node: aNode("a") }],
    change: { kind: "createNetwork", network: aNetwork("net", { Options: { encrypted: "" } }) },
    code: "BAD_REQUEST",
    message:
      'Cannot create network "net": no node can encrypt; it takes WireGuard in the kernel, or "apt-get install wireguard-go" on the nodes',
  },
  {
    name: "a second ingress network",
    before: [ingress("first")],
    change: ingress("second"),
    code: "NAME_IN_USE",
    message: "ingress network (first) is already present",
  },
  {
    name: "removing the ingress network while a service publishes a port",
    before: [ingress("net"), aService("web", published(80))],
    change: { kind: "removeNetwork", id: net },
    code: "IN_USE",
    message: "ingress network cannot be removed because service web depends on it",
  },
  {
    name: "a plain container on a network that takes none",
    before: [{ kind: "joinNode", node: aNode("a") }, network("net")],
    change: attach("k"),
    code: "REFUSED",
    message: "Could not attach to network net: network net not manually attachable",
  },
  {
    name: "a plain container on a missing network",
    before: [],
    change: attach("k"),
    code: "NOT_FOUND",
    message: "network net not found",
  },
  {
    name: "a plain container on a missing node",
    before: [attachable],
    change: attach("k"),
    code: "NOT_FOUND",
    message: "node a not found",
  },
  ...(
    [
      ["10.2.0.9", "BAD_REQUEST", "address 10.2.0.9 is not in its subnet 10.1.0.0/24"],
      ["10.1.0.0", "BAD_REQUEST", "address 10.1.0.0 of 10.1.0.0/24 is not for containers"],
      ["10.1.0.1", "BAD_REQUEST", "address 10.1.0.1 of 10.1.0.0/24 is not for containers"],
      ["10.1.0.255", "BAD_REQUEST", "address 10.1.0.255 of 10.1.0.0/24 is not for containers"],
      ["10.1.0.2", "IN_USE", "address 10.1.0.2 is in use by node host-a itself"],
      ["10.1.0.3", "IN_USE", "address 10.1.0.3 is in use by service web"],
      ["10.1.0.4", "IN_USE", "address 10.1.0.4 is in use by task web.1.t1"],
      ["10.1.0.5", "IN_USE", "address 10.1.0.5 is in use by container shell-k on node host-a"],
    ] as const
  ).map(([wish, code, why]) => ({
    name: `a plain container the address ${wish}`,
    before: crowded,
    change: { ...attach("k2"), wish } as Change,
    code,
    message: `Could not attach to network net: ${why}`,
  })),
  {
    name: "removing a network that plain containers are on",
    before: [{ kind: "joinNode", node: aNode("a") }, attachable, attach("k2"), attach("k1")],
    change: { kind: "removeNetwork", id: net },
    code: "IN_USE",
    message: "network net has active endpoints: shell-k1 on node host-a, shell-k2 on node host-a",
  },
];

for (const { name, before, change, code, message } of refusals) {
  test(`the store refuses ${name}`, () => {
    const log = new TestLog();
    for (const one of before) assert.equal(log.write(one).outcome.kind, "applied");
    assert.deepEqual(log.write(change).outcome, { kind: "refused", code, message });
  });
}

test("a removed node frees its bridges' and plain containers' addresses, and no others", () => {
  const log = new TestLog();
  const b = "b" as NodeId;
  for (const id of [a, b]) log.write({ kind: "joinNode", node: aNode(id, { address: id }) });
  log.write(attachable);
  log.write({ kind: "setGateways", id: net, gateways: { a: "10.1.0.2", b: "10.1.0.3" } });
  log.write(attach("k1"));
  log.write({ kind: "attachContainer", network: net, key: "k2", node: b, name: "shell" });
  const { events } = log.write({ kind: "removeNode", id: a });
  assert.deepEqual(
    events.map(({ table }) => table),
    ["node", "network"],
  );
  const { gateways, attachments } = log.store.network(net)?.Gam ?? {};
  assert.deepEqual(gateways, { b: "10.1.0.3" });
  assert.deepEqual(Object.keys(attachments ?? {}), ["k2"]);
  // Changes that were planned for the node earlier and come late.
  log.write({ kind: "setGateways", id: net, gateways: { a: "10.1.0.2" } });
  assert.deepEqual(log.store.network(net)?.Gam.gateways, { b: "10.1.0.3" });
});

test("a known attachment gets new names, and keeps its address and its node", () => {
  const log = new TestLog();
  const b = "b" as NodeId;
  log.write({ kind: "joinNode", node: aNode("a") }, { kind: "joinNode", node: aNode("b") });
  log.write(attachable, attach("k1"));
  log.write({ kind: "setAttachment", id: net, key: "k1", address: "10.1.0.9" });
  const rename = (node: typeof a) => {
    const names = { name: "box", aliases: ["c0ffee"] };
    return log.write({ kind: "attachContainer", network: net, key: "k1", node, ...names }).events;
  };
  const found = () => log.store.network(net)?.Gam.attachments.k1;
  assert.deepEqual(rename(b), []);
  assert.equal(found()?.name, "shell-k1");
  assert.equal(rename(a).length, 1);
  assert.deepEqual(found(), { node: a, name: "box", address: "10.1.0.9", aliases: ["c0ffee"] });
  assert.deepEqual(rename(a), []);
});

test("an assigned task loses its addresses only when it cannot use them any more", () => {
  const log = new TestLog();
  log.write({ kind: "joinNode", node: aNode("a") }, aService("web"));
  log.write({ kind: "createTask", task: aTask("web", "t1", { slot: 1 }) });
  const give = (...addresses: string[]) => {
    const attachments = addresses.map((address) => ({ network: net, address }));
    return log.write({ kind: "attachTask", id: t1, attachments }).events.length;
  };
  const held = () => log.store.task(t1)?.Gam.attachments.map(({ address }) => address);
  assert.equal(give("10.1.0.9"), 1);
  log.write({ kind: "assignTask", id: t1, node: a, status: { Timestamp: "", State: "assigned" } });
  assert.equal(give("10.1.0.8"), 0);
  assert.equal(give(), 0, "it is wanted");
  log.write({ kind: "desireTask", id: t1, desired: "shutdown" });
  assert.equal(give(), 0, "its node will stop it and say so");
  log.write({ kind: "judgeNode", id: a, status: { State: "down" } });
  assert.equal(give("10.1.0.8"), 0);
  assert.deepEqual(held(), ["10.1.0.9"]);
  assert.equal(give(), 1);
  assert.deepEqual(held(), []);
});

test("no other service gets a port of a possible rollback", () => {
  const log = new TestLog();
  const { spec } = aService("web", { ...published(80), ...mayFail });
  log.write({ ...aService("web"), spec });
  const next = { ...spec, EndpointSpec: {} };
  log.write({ kind: "updateService", id: web, spec: next, basedOn: 1 });
  assert.equal(log.write(aService("other", published(80))).outcome.kind, "refused");
  const basedOn = log.store.service(web)?.Version.Index ?? 0;
  const completed = { State: "completed" as const, StartedAt: "", Message: "" };
  const progress = { basedOn, status: completed, waveAtMs: 0, updated: [] };
  log.write({ kind: "progressUpdate", id: web, ...progress });
  assert.equal(log.write(aService("other", published(80))).outcome.kind, "applied");
});
