import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetworkId, NodeId, ServiceId, TaskId } from "@gam/core";
import type { Node } from "@gam/state";
import { aNetwork, aNode, aService, aTask, TestLog } from "@gam/state/testing";
import { FakeDoor } from "../testing/fake-door.ts";
import { attachedNetwork, networkAnswer } from "./network-answer.ts";
import { nodeAnswer } from "./node-answer.ts";
import { serviceAnswer } from "./service-answer.ts";
import { taskAnswer } from "./task-answer.ts";

const at = "2026-01-01T00:00:00.000Z";

/** A cluster of a manager and a worker, with a network, a service and one task of it. */
function cluster(): TestLog {
  const log = new TestLog();
  log.write({ kind: "joinNode", node: aNode("a") });
  log.write({ kind: "joinNode", node: aNode("b", { spec: { Role: "worker" } }) });
  const IPAM = { Driver: "default", Options: null, Config: [{ Subnet: "10.0.1.0/24" }] };
  const front = aNetwork("front", { Id: "n1" as NetworkId, Attachable: true, IPAM });
  log.write({ kind: "createNetwork", network: front });
  log.write(aService("web", { template: { Runtime: "container" } }));
  const attachments = [{ network: "n1" as NetworkId, address: "10.0.1.7" }];
  const template = { Runtime: "container" };
  const task = aTask("web", "t1", { node: "b", slot: 0, template, extra: { attachments } });
  log.write({ kind: "createTask", task });
  return log;
}

test("a part of a pod is counted by its main service, and what waits for an init container says so", () => {
  const log = new TestLog();
  const part = (name: string, role: string) => {
    return aService(name, { spec: { Labels: { "gam.pod": "web", "gam.pod.role": role } } });
  };
  log.write({ kind: "joinNode", node: aNode("b") }, aService("web", { replicas: 3 }));
  log.write(part("log", "sidecar"), part("prepare", "init"));
  const wish = { node: "b", slot: 1, state: "ready", desired: "ready" } as const;
  log.write({ kind: "createTask", task: aTask("web", "t1", wish) });
  const extra = { pod: "t1" as TaskId, serviceLabels: { "gam.pod": "web" } };
  const init = aTask("prepare", "t2", { ...wish, desired: "complete", extra });
  log.write({ kind: "createTask", task: init });
  const shown = (name: string): string => {
    const service = log.store.service(name as ServiceId);
    assert.ok(service);
    const options = { defaults: false, counted: log.store };
    const { ServiceStatus } = JSON.parse(JSON.stringify(serviceAnswer(service, options)));
    return `${ServiceStatus.RunningTasks}/${ServiceStatus.DesiredTasks}`;
  };
  assert.deepEqual(["web", "log", "prepare"].map(shown), ["0/3", "0/3", "0/1"]);
  const main = log.store.task("t1" as TaskId);
  assert.ok(main);
  const { Err } = JSON.parse(JSON.stringify(taskAnswer(main, log.store, 0))).Status;
  assert.equal(Err, "waits for init container prepare to complete");
});

test("a task that may not start yet says what it waits for", () => {
  const log = new TestLog();
  const Labels = { "gam.depends_on": "db:healthy" };
  log.write({ kind: "joinNode", node: aNode("b") }, aService("web", { spec: { Labels } }));
  const errors = (["ready", "running"] as const).map((desired) => {
    const task = aTask("web", desired, { node: "b", slot: 1, state: "ready", desired });
    log.write({ kind: "createTask", task });
    const made = log.store.tasks().at(-1);
    assert.ok(made);
    return JSON.parse(JSON.stringify(taskAnswer(made, log.store, 0))).Status.Err;
  });
  const why = "waits for db to be healthy (there is no such service)";
  assert.deepEqual(errors, [why, undefined]);
});

test("a task's attachment has its network in the form of a cluster object", () => {
  const { store } = cluster();
  const [task] = store.tasks();
  assert.ok(task);
  const shown = JSON.parse(JSON.stringify(taskAnswer(task, store, 0)));
  assert.deepEqual(shown.NetworksAttachments, [
    {
      Network: {
        ID: "n1",
        Version: { Index: 3 },
        CreatedAt: at,
        UpdatedAt: at,
        Spec: {
          Name: "front",
          Labels: {},
          DriverConfiguration: { Name: "overlay" },
          Attachable: true,
          IPAMOptions: { Driver: { Name: "default" } },
          Scope: "swarm",
        },
        DriverState: { Name: "overlay" },
        IPAMOptions: { Driver: { Name: "default" }, Configs: [{ Subnet: "10.0.1.0/24" }] },
      },
      Addresses: ["10.0.1.7/24"],
    },
  ]);
  // The first slot of a job is left out, as Swarm does.
  assert.equal("Slot" in shown, false);
  assert.equal("Gam" in shown, false);
  assert.equal("Runtime" in shown.Spec, false);
});

test("a task's network shows its options", () => {
  const Options = { encrypted: "" };
  const [network] = cluster().store.networks();
  assert.ok(network);
  const shown = attachedNetwork({ ...network, Options }) as { Spec: object };
  const { DriverConfiguration } = shown.Spec as { DriverConfiguration: object };
  assert.deepEqual(DriverConfiguration, { Name: "overlay", Options });
});

test("a task's attachments begin with the ingress network, and show the VNI", () => {
  const log = cluster();
  const Gam = { vni: 4096, gateways: {}, attachments: {} };
  const IPAM = { Driver: "default", Options: null, Config: [{ Subnet: "10.9.0.0/20" }] };
  const ingress = aNetwork("ingress", { Id: "n0" as NetworkId, Ingress: true, IPAM, Gam });
  log.write({ kind: "createNetwork", network: ingress });
  const attachments = [
    { network: "n1" as NetworkId, address: "10.0.1.8" },
    { network: "n0" as NetworkId, address: "10.9.0.8" },
  ];
  const task = aTask("web", "t2", { node: "b", slot: 1, extra: { attachments } });
  log.write({ kind: "createTask", task });
  const made = log.store.tasks().find(({ ID }) => ID === "t2");
  assert.ok(made);
  const { NetworksAttachments: shown } = JSON.parse(JSON.stringify(taskAnswer(made, log.store, 0)));
  assert.deepEqual(
    shown.map((one: { Addresses: string[] }) => one.Addresses),
    [["10.9.0.8/20"], ["10.0.1.8/24"]],
  );
  assert.deepEqual(shown[0].Network.DriverState.Options, {
    "com.docker.network.driver.overlay.vxlanid_list": "4096",
  });
  assert.equal(shown[0].Network.Spec.Ingress, true);
});

test("what is empty is left out where Swarm leaves it out", () => {
  const log = cluster();
  const [node] = log.store.nodes();
  const [service] = log.store.services();
  assert.ok(node && service);
  const shown = nodeAnswer(node, new FakeDoor("a" as NodeId)) as Node;
  assert.equal("Labels" in shown.Description.Engine, false);
  const Endpoint = { Spec: { Mode: "vip" as const } };
  const bare = serviceAnswer({ ...service, Endpoint }, { defaults: false });
  assert.deepEqual((bare as { Endpoint: object }).Endpoint, { Spec: {} });
  const TaskTemplate = { ...service.Spec.TaskTemplate, Networks: [{ Target: "host" }] };
  const onHost = { ...service, Endpoint, Spec: { ...service.Spec, TaskTemplate } };
  const shownOnHost = serviceAnswer(onHost, { defaults: false }) as { Endpoint: object };
  assert.deepEqual(shownOnHost.Endpoint, { Spec: { Mode: "vip" } });
});

test("a task that was rejected shows that it has no container, as in Swarm", () => {
  const log = cluster();
  log.write({ kind: "createTask", task: aTask("web", "new", { slot: 9, node: "a" }) });
  const task = log.store.tasks().find(({ ID }) => ID === "new");
  assert.ok(task);
  const statusOf = (State: "rejected" | "preparing"): object => {
    const Status = { ...task.Status, State };
    return (taskAnswer({ ...task, Status }, log.store, 0) as { Status: object }).Status;
  };
  const none = { ContainerID: "", PID: 0, ExitCode: 0 };
  assert.deepEqual((statusOf("rejected") as { ContainerStatus: object }).ContainerStatus, none);
  assert.ok(!("ContainerStatus" in statusOf("preparing")));
});

test("a network without labels has null for them", () => {
  const [network] = cluster().store.networks();
  assert.ok(network);
  assert.deepEqual(networkAnswer(network), {
    Id: "n1",
    Name: "front",
    Created: at,
    Scope: "swarm",
    Driver: "overlay",
    EnableIPv6: false,
    IPAM: { Driver: "default", Options: null, Config: [{ Subnet: "10.0.1.0/24" }] },
    Internal: false,
    Attachable: true,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: null,
    Options: null,
    Labels: null,
  });
});

test("nodes that may vote are managers, and workers are not", () => {
  const door = new FakeDoor("a" as NodeId);
  const shown = cluster()
    .store.nodes()
    .map((node) => nodeAnswer(node, door) as { ManagerStatus?: object });
  assert.deepEqual(
    shown.map((node) => node.ManagerStatus),
    [
      { Leader: true, Reachability: "reachable", Addr: `${aNode("a").Status.Addr}:7946` },
      undefined,
    ],
  );
});

test("a node without a reported hostname is named by its id", () => {
  const log = new TestLog();
  log.write({ kind: "joinNode", node: aNode("c", { description: { Hostname: "" } }) });
  const [node] = log.store.nodes();
  assert.ok(node);
  const shown = nodeAnswer(node, new FakeDoor("a" as NodeId)) as Node;
  assert.equal(shown.Description.Hostname, "c");
});

test("a silent node is ready as long as a leader says so, and unknown without a leader", () => {
  const door = new FakeDoor("z" as NodeId);
  const [node] = cluster().store.nodes();
  assert.ok(node);
  const state = (): [string, string] => {
    const shown = nodeAnswer(node, door) as Node & { ManagerStatus: { Reachability: string } };
    return [shown.Status.State, shown.ManagerStatus.Reachability];
  };
  door.reachable = () => false;
  assert.deepEqual(state(), ["ready", "unreachable"]);
  door.leader = () => undefined;
  assert.deepEqual(state(), ["unknown", "unreachable"]);
  door.reachable = () => true;
  assert.deepEqual(state(), ["ready", "reachable"]);
});

test("a manager without its engine is down, but reachable as long as its agent answers", () => {
  const door = new FakeDoor("z" as NodeId);
  const [node] = cluster().store.nodes();
  assert.ok(node);
  const Status = { ...node.Status, State: "down" } as const;
  const reachability = (ready: boolean): string => {
    const engine = { ready, reason: "" };
    const shown = nodeAnswer({ ...node, Status, Gam: { ...node.Gam, engine } }, door);
    return (shown as { ManagerStatus: { Reachability: string } }).ManagerStatus.Reachability;
  };
  door.reachable = () => true;
  assert.deepEqual([reachability(false), reachability(true)], ["reachable", "unreachable"]);
  door.reachable = () => false;
  assert.equal(reachability(false), "unreachable");
});

test("defaults are filled into the spec, and not into the previous spec", () => {
  const log = cluster();
  const [service] = log.store.services();
  assert.ok(service);
  const PreviousSpec = service.Spec;
  const shown = JSON.stringify(serviceAnswer({ ...service, PreviousSpec }, { defaults: true }));
  assert.equal(shown.split("StopGracePeriod").length, 2);
  assert.ok(!JSON.stringify(serviceAnswer(service, { defaults: false })).includes("StopGrace"));
});
