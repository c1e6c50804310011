/** The smallest objects of the state that a worker takes, for tests. */
import type { NetworkId, NodeId, ServiceId, TaskId } from "@gam/core";
import type { Network, Node, Task } from "@gam/state";

const at = "2026-01-01T00:00:00.000Z";
const meta = { Version: { Index: 1 }, CreatedAt: at, UpdatedAt: at };

export function aNode(id = "node1"): Node {
  return {
    ...meta,
    ID: id as NodeId,
    Spec: { Labels: {}, Role: "manager", Availability: "active" },
    Description: {
      Hostname: "host1",
      Platform: { Architecture: "x86_64", OS: "linux" },
      Resources: { NanoCPUs: 2e9, MemoryBytes: 4e9 },
      Engine: { EngineVersion: "20.10.24", Labels: {}, Plugins: [] },
    },
    Status: { State: "ready", Addr: "10.0.0.1" },
    Gam: {
      peerId: "peer1",
      addresses: ["10.0.0.1:7946"],
      engine: { ready: true, reason: "" },
      engineLostAtMs: 0,
    },
  };
}

export function aTask(id: string, change: Partial<Task> = {}): Task {
  return {
    ...meta,
    ID: id as TaskId,
    Labels: {},
    Spec: { ContainerSpec: { Image: "tiny:1" } },
    ServiceID: "service1" as ServiceId,
    Slot: 1,
    NodeID: "node1" as NodeId,
    Status: { Timestamp: at, State: "assigned", Message: "scheduler assigned task to node" },
    DesiredState: "running",
    Gam: {
      templateVersion: 1,
      endpoint: {},
      serviceName: "web",
      serviceLabels: {},
      registryAuth: "",
      startAfterMs: 0,
      after: "",
      restart: false,
    },
    ...change,
  };
}

export function aNetwork(name: string, change: Partial<Network> = {}): Network {
  return {
    Id: `${name}-id` as NetworkId,
    Version: { Index: 1 },
    Name: name,
    Created: at,
    Scope: "swarm",
    Driver: "overlay",
    EnableIPv6: false,
    IPAM: { Driver: "default", Options: null, Config: [] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Options: null,
    Labels: {},
    ...change,
  };
}
