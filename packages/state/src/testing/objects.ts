/** The smallest objects that the store takes, for tests. */
import type { ConfigId, NetworkId, NodeId, SecretId, ServiceId, TaskId } from "@gam/core";
import { testId, testKey } from "@gam/core/testing";
import type { Change, NewNetwork, NewNode, NewTask } from "../log/change.ts";
import {
  clusterSpecDefault,
  dataPathDefault,
  type JoinToken,
  type SealingKey,
} from "../objects/cluster.ts";
import type { Sealed } from "../objects/content.ts";
import type { NodeDescription, NodeNetwork, NodeSpec, NodeState } from "../objects/node.ts";
import type { Rollout } from "../objects/rollouts/rollout.ts";
import type {
  ContainerSpec,
  EndpointSpec,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
} from "../objects/service.ts";
import type { DesiredState, TaskState } from "../objects/task.ts";

const at = "2026-01-01T00:00:00.000Z";

/** A token without a usable secret. `under`: root keys that it is sealed under. */
export function aToken(name: string, under: readonly string[] = [testKey("root")]): JoinToken {
  return {
    PublicKey: testKey(name),
    Sealed: Object.fromEntries(under.map((root) => [root, name])),
  };
}

/** The id of a sealing key. */
export function keyId(name: string): string {
  return testId(name);
}

/** A sealing key that cannot be opened. `under`: root keys that it is sealed under. */
export function aSealingKey(
  name: string,
  under: readonly string[] = [testKey("root")],
): SealingKey {
  return { ID: keyId(name), Sealed: Object.fromEntries(under.map((root) => [root, name])) };
}

/** Bytes that stand for `text` sealed with a key. */
export function aSeal(text: string, key = "key"): Sealed {
  return { key: keyId(key), sealed: new TextEncoder().encode(text.padEnd(40, ".")) };
}

/** A secret whose id is its name. */
export function aSecret(name: string, text = name): Extract<Change, { kind: "createSecret" }> {
  const content = { version: 1, ...aSeal(text) };
  return { kind: "createSecret", id: name as SecretId, spec: { Name: name, Labels: {} }, content };
}

/** A config whose id is its name. */
export function aConfig(name: string, text = name): Extract<Change, { kind: "createConfig" }> {
  const content = { version: 1, data: new TextEncoder().encode(text) };
  return { kind: "createConfig", id: name as ConfigId, spec: { Name: name, Labels: {} }, content };
}

/** A container that has these secrets and configs as files, by their names. */
export function withFiles(
  image: string,
  { secrets = [], configs = [] }: { readonly secrets?: string[]; readonly configs?: string[] },
): ContainerSpec {
  const File = (Name: string) => ({ Name, UID: "0", GID: "0", Mode: 292 });
  return {
    Image: image,
    ...(secrets.length > 0 && {
      Secrets: secrets.map((name) => ({
        File: File(name),
        SecretID: name as SecretId,
        SecretName: name,
      })),
    }),
    ...(configs.length > 0 && {
      Configs: configs.map((name) => ({
        File: File(name),
        ConfigID: name as ConfigId,
        ConfigName: name,
      })),
    }),
  };
}

/** The cluster that `init` creates by default. */
export function aCluster(change: Partial<NewCluster> = {}): NewCluster {
  return {
    ID: testId("cluster"),
    Spec: clusterSpecDefault,
    Tokens: { Worker: aToken("w"), Manager: aToken("m") },
    RootPublicKey: testKey("root"),
    SealingKeys: [aSealingKey("key")],
    ...dataPathDefault,
    ...change,
  };
}

type NewCluster = Extract<Change, { kind: "createCluster" }>["cluster"];

/** One address for each id: two nodes cannot have the same. */
function addressOf(id: string): string {
  let hash = 0;
  for (const character of id) hash = (hash * 31 + character.charCodeAt(0)) % 65_521;
  return `10.250.${hash >> 8}.${hash & 255}`;
}

/** A host with 4 CPUs and 8 GiB; default state: ready. */
export function aNode(
  id: string,
  wish: {
    readonly spec?: Partial<NodeSpec>;
    readonly description?: Partial<NodeDescription>;
    readonly state?: NodeState;
    readonly address?: string;
  } = {},
): NewNode {
  const address = wish.address ?? addressOf(id);
  return {
    ID: id as NodeId,
    Spec: { Labels: {}, Role: "manager", Availability: "active", ...wish.spec },
    Description: {
      Hostname: `host-${id}`,
      Platform: { Architecture: "x86_64", OS: "linux" },
      Resources: { NanoCPUs: 4e9, MemoryBytes: 8 * 2 ** 30 },
      Engine: { EngineVersion: "20.10.24", Labels: {}, Plugins: [] },
      ...wish.description,
    },
    Status: { State: wish.state ?? "ready", Addr: address },
    Gam: {
      addresses: [`${address}:7946`],
      engine: { ready: true, reason: "" },
      engineLostAtMs: 0,
      network: aNodeNetwork(),
    },
  };
}

/** A host that can take part in networks, without encryption. */
export function aNodeNetwork(change: Partial<NodeNetwork> = {}): NodeNetwork {
  return { mtu: 1500, routes: [], encryption: "none", publicKey: "", problem: "", ...change };
}

export interface ServiceWish {
  readonly replicas?: number;
  readonly mode?: ServiceMode;
  readonly image?: string;
  readonly template?: Partial<TaskSpec>;
  readonly endpoint?: EndpointSpec;
  readonly spec?: Partial<ServiceSpec>;
}

/** A service whose id is its name. */
export function aService(
  name: string,
  wish: ServiceWish = {},
): Extract<Change, { kind: "createService" }> {
  const spec: ServiceSpec = {
    Name: name,
    TaskTemplate: { ContainerSpec: { Image: wish.image ?? "tiny:1" }, ...wish.template },
    Mode: wish.mode ?? { Replicated: { Replicas: wish.replicas ?? 1 } },
    ...(wish.endpoint && { EndpointSpec: wish.endpoint }),
    ...wish.spec,
  };
  return { kind: "createService", id: name as ServiceId, spec };
}

export interface TaskWish {
  readonly slot?: number;
  readonly node?: string;
  readonly state?: TaskState;
  readonly desired?: DesiredState;
  readonly template?: Partial<TaskSpec>;
  readonly extra?: Partial<NewTask["Gam"]>;
  /** Generic resources that it has got. */
  readonly held?: NewTask["GenericResources"];
}

export function aTask(service: string, id: string, wish: TaskWish = {}): NewTask {
  const State = wish.state ?? (wish.node === undefined ? "pending" : "running");
  return {
    ID: id as TaskId,
    Labels: {},
    Spec: { ContainerSpec: { Image: "tiny:1" }, ...wish.template },
    ServiceID: service as ServiceId,
    ...(wish.slot !== undefined && { Slot: wish.slot }),
    ...(wish.node !== undefined && { NodeID: wish.node as NodeId }),
    Status: { Timestamp: at, State },
    DesiredState: wish.desired ?? "running",
    ...(wish.held && { GenericResources: wish.held }),
    Gam: {
      templateVersion: 0,
      endpoint: {},
      serviceName: service,
      serviceLabels: {},
      credentials: false,
      startAfterMs: 0,
      after: "",
      restart: false,
      contents: {},
      attachments: [],
      ...wish.extra,
    },
  };
}

/** A canary of version 7 instead of version 4 that begins. */
export function aRollout(change: Partial<Rollout> = {}): Rollout {
  return {
    ...{ serial: 0, strategy: "canary", version: 7, base: 4, weight: 0, step: 0 },
    ...{ phase: "starting", sinceMs: 0, failed: [] },
    ...change,
  };
}

/** An overlay network whose id is its name. */
export function aNetwork(name: string, change: Partial<NewNetwork> = {}): NewNetwork {
  return {
    Id: name as NetworkId,
    Name: name,
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
    Gam: { vni: 0, gateways: {}, attachments: {} },
    ...change,
  };
}
