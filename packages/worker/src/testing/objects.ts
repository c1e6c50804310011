/** Minimal objects of the state for tests of the worker. */
import type { ConfigId, NetworkId, SecretId } from "@gam/core";
import type { FileTarget, Network, Node, Task } from "@gam/state";
import { aNetwork as newNetwork, aNode as newNode, aTask as newTask } from "@gam/state/testing";

const at = "2026-01-01T00:00:00.000Z";
const meta = { Version: { Index: 1 }, CreatedAt: at, UpdatedAt: at };

export function aNode(id = "node1"): Node {
  return { ...meta, ...newNode(id, { description: { Hostname: "host1" } }) };
}

/** A task that is assigned to `node1` and not started. */
export function aTask(id: string, change: Partial<Task> = {}): Task {
  const extra = { templateVersion: 1, serviceName: "web" };
  const wish = { slot: 1, node: "node1", state: "assigned", extra } as const;
  return { ...meta, ...newTask("service1", id, wish), ...change };
}

/** The task with a secret and a config as files, both at their second content. */
export function withFiles(task: Task, target: Partial<FileTarget> = {}): Task {
  const File: FileTarget = { Name: "key", UID: "0", GID: "0", Mode: 0o444, ...target };
  const [SecretID, ConfigID] = ["secret1" as SecretId, "config1" as ConfigId];
  const ContainerSpec = {
    ...task.Spec.ContainerSpec,
    Secrets: [{ File, SecretID, SecretName: "key" }],
    Configs: [{ File, ConfigID, ConfigName: "conf" }],
  };
  const contents = { [SecretID]: 2, [ConfigID]: 2 };
  return { ...task, Spec: { ...task.Spec, ContainerSpec }, Gam: { ...task.Gam, contents } };
}

export function aNetwork(name: string, change: Partial<Network> = {}): Network {
  const network = newNetwork(name, { Id: `${name}-id` as NetworkId });
  return { Version: meta.Version, Created: at, ...network, ...change };
}

/** A network in which `node1` has a gateway: 10.253.NUMBER.0/24, the node at .2. */
export function anOverlay(name: string, number = 1): Network {
  const IPAM = {
    Driver: "default",
    Options: null,
    Config: [{ Subnet: `10.253.${number}.0/24` }],
  };
  const gateways = { node1: `10.253.${number}.2` };
  return aNetwork(name, { IPAM, Gam: { vni: 4096 + number, gateways, attachments: {} } });
}
