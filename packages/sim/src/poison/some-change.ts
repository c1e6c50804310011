/** Some change: a change of each kind that the state would accept. Mutants are made of them. */
import type { NetworkId, NodeId, Random, ServiceId, TaskId } from "@gam/core";
import { testKey } from "@gam/core/testing";
import {
  type Change,
  type JoinToken,
  type Network,
  type NewNode,
  type Node,
  readNetworkSpec,
  type Service,
  type ServiceSpec,
  type Task,
  type View,
} from "@gam/state";
import { pick } from "./mutant.ts";

export interface Surroundings {
  readonly random: Random;
  readonly view: View;
  readonly nodes: readonly NodeId[];
  /** A new id. */
  readonly id: () => string;
  readonly nowMs: number;
}

const someSignature = Buffer.alloc(64, "s").toString("base64");

function someToken(name: string, ...roots: readonly string[]): JoinToken {
  return {
    PublicKey: testKey(name),
    Sealed: Object.fromEntries(roots.map((root) => [root, name])),
  };
}

export function someNode(id: NodeId, number: number): NewNode {
  return {
    ID: id,
    Spec: { Labels: { zone: `z${number % 2}` }, Role: "manager", Availability: "active" },
    Description: {
      Hostname: `host${number}`,
      Platform: { Architecture: "x86_64", OS: "linux" },
      Resources: { NanoCPUs: 4e9, MemoryBytes: 2 ** 33 },
      Engine: { EngineVersion: "20.10.24", Labels: {}, Plugins: [] },
    },
    Status: { State: "ready", Addr: `172.30.0.${number}` },
    Gam: {
      addresses: [`172.30.0.${number}:7946`],
      engine: { ready: true, reason: "" },
      engineLostAtMs: 0,
      network: {
        mtu: 1500,
        routes: ["172.30.0.0/16"],
        encryption: "kernel",
        publicKey: testKey(`key${number}`),
        problem: "",
      },
    },
  };
}

export function someSpec({ random, view }: Surroundings, name: string): ServiceSpec {
  const networks = view.networks().filter(({ Ingress }) => !Ingress);
  const Networks = networks.slice(0, random.below(3)).map(({ Id: Target }) => {
    return { Target, Aliases: [`alias-${random.below(9)}`] };
  });
  const replicas = random.below(5);
  const Mode = pick<ServiceSpec["Mode"]>(random, [
    { Replicated: { Replicas: replicas } },
    { Replicated: { Replicas: replicas } },
    { Global: {} },
    { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: replicas } },
    { GlobalJob: {} },
  ]);
  const port = {
    Protocol: "tcp",
    TargetPort: 80,
    PublishMode: pick(random, ["ingress", "host"] as const),
    ...(random.below(2) === 0 && { PublishedPort: 8000 + random.below(8) }),
  } as const;
  const isJob = Mode.ReplicatedJob !== undefined || Mode.GlobalJob !== undefined;
  const UpdateConfig = {
    Parallelism: random.below(3),
    Delay: 1e8,
    FailureAction: pick(random, ["pause", "continue", "rollback"] as const),
    Monitor: 1e9,
    MaxFailureRatio: 0.5,
    Order: pick(random, ["stop-first", "start-first"] as const),
  };
  return {
    Name: name,
    Labels: { "gam.affinity": pick(random, ["client", ""]), owner: "somebody" },
    TaskTemplate: {
      ContainerSpec: {
        Image: pick(random, ["app:1", "app:2", "app:flaky"]),
        Env: ["A=1", "NODE={{.Node.Hostname}}"],
        Hostname: "h-{{.Task.Slot}}",
        Mounts: [{ Type: "volume", Source: "data", Target: "/data" }],
        DNSConfig: { Nameservers: ["10.1.1.1"] },
        Privileges: { NoNewPrivileges: true },
      },
      Resources: {
        Reservations: {
          NanoCPUs: 1e8,
          GenericResources: [{ DiscreteResourceSpec: { Kind: "gpu", Value: random.below(2) } }],
        },
      },
      RestartPolicy: { Condition: "any", Delay: 1e9, MaxAttempts: 3, Window: 5e9 },
      Placement: {
        Constraints: [pick(random, ["node.role == manager", "node.labels.zone != z9"])],
        Preferences: [{ Spread: { SpreadDescriptor: "node.labels.zone" } }],
        MaxReplicas: random.below(4),
      },
      ForceUpdate: random.below(3),
      ...(Networks.length > 0 && { Networks }),
    },
    Mode,
    ...(!isJob && { UpdateConfig }),
    ...(random.below(2) === 0 && { EndpointSpec: { Mode: "vip" as const, Ports: [port] } }),
  };
}

function statusOf({ nowMs }: Surroundings, State: Task["Status"]["State"]): Task["Status"] {
  return { Timestamp: new Date(nowMs).toISOString(), State, Message: "some", Err: "" };
}

type Make = (around: Surroundings) => Change;

const node = ({ random, view }: Surroundings): Node => pick(random, view.nodes());
const service = ({ random, view }: Surroundings): Service => pick(random, view.services());
const task = ({ random, view }: Surroundings): Task => pick(random, view.tasks());
const network = ({ random, view }: Surroundings): Network => pick(random, view.networks());

function newService(around: Surroundings): Change {
  const id = around.id() as ServiceId;
  return { kind: "createService", id, spec: someSpec(around, id), registryAuth: "auth" };
}

function changedService(around: Surroundings): Change {
  const { ID: id, Spec, Version } = service(around);
  const { random } = around;
  const spec = random.below(5) === 0 ? "previous" : someSpec(around, Spec.Name);
  const registryAuth = pick(random, ["some", "", undefined]);
  const registryAuthFrom = pick(random, ["spec", "previous-spec", undefined] as const);
  const basedOn = Version.Index;
  return { kind: "updateService", id, spec, registryAuth, registryAuthFrom, basedOn };
}

/** For a state with at least a node, a service, a task and a network. */
const makers: readonly Make[] = [
  ({ view }) => ({ kind: "createCluster", cluster: view.cluster as NonNullable<View["cluster"]> }),
  ({ view }) => ({
    kind: "updateCluster",
    spec: (view.cluster as NonNullable<View["cluster"]>).Spec,
    basedOn: view.cluster?.Version.Index ?? 0,
  }),
  ({ view, random }) => {
    const { Spec, Version, RootPublicKey } = view.cluster as NonNullable<View["cluster"]>;
    const EncryptionConfig = { AutoLockManagers: random.below(2) === 0 };
    const unlockKey = pick(random, [{ [RootPublicKey]: "key" }, undefined]);
    const spec = { ...Spec, EncryptionConfig };
    return { kind: "updateCluster", spec, basedOn: Version.Index, unlockKey };
  },
  ({ view }) => ({
    kind: "rotateTokens",
    worker: someToken("w2", view.cluster?.RootPublicKey ?? ""),
    manager: undefined,
  }),
  ({ view, random }) => {
    const root = view.cluster?.RootPublicKey ?? "";
    const next = { PublicKey: testKey(`root${random.below(9)}`), Signature: someSignature };
    const token = someToken("t", root, next.PublicKey);
    const tokens = { Worker: token, Manager: token };
    const unlockKey = view.cluster?.UnlockKey && { [root]: "key", [next.PublicKey]: "key" };
    return { kind: "rotateRoot", root, next, tokens, unlockKey };
  },
  (around) => ({
    kind: "joinNode",
    node: someNode(around.id() as NodeId, 10 + around.random.below(9)),
  }),
  (around) => {
    const { ID: id, Spec: spec, Version } = node(around);
    return { kind: "updateNode", id, spec, basedOn: Version.Index };
  },
  (around) => {
    const onlyIf = pick(around.random, ["down", "undescribed", undefined] as const);
    return { kind: "removeNode", id: around.id() as NodeId, onlyIf };
  },
  ...Array<Make>(5).fill(newService),
  ...Array<Make>(5).fill(changedService),
  (around) => ({ kind: "removeService", id: service(around).ID }),
  (around) => {
    const id = around.id();
    const { random } = around;
    const Subnet = `10.${random.below(200)}.0.0/24`;
    const body = {
      Name: id,
      Driver: "overlay",
      Attachable: true,
      Options: random.below(2) === 0 ? { encrypted: "" } : {},
      ...(random.below(2) === 0 && { IPAM: { Config: [{ Subnet }] } }),
    };
    return { kind: "createNetwork", network: readNetworkSpec(body, id as NetworkId) };
  },
  (around) => ({ kind: "removeNetwork", id: network(around).Id }),
  (around) => ({
    kind: "attachContainer",
    network: network(around).Id,
    key: around.id(),
    node: node(around).ID,
    name: "shell",
    wish: "10.0.1.7",
    aliases: ["sh"],
  }),
  (around) => {
    const { id, network: _, ...rest } = { id: node(around).ID, ...node(around).Gam };
    const { Description: description, Gam } = node(around);
    return {
      kind: "describeNode",
      id,
      description,
      addresses: rest.addresses,
      engine: rest.engine,
      network: Gam.network ?? (someNode(id, 1).Gam.network as never),
      root: testKey("root"),
    };
  },
  (around) => {
    const { Id, Gam } = network(around);
    const [key = around.id()] = Object.keys(Gam.attachments);
    return { kind: "detachContainer", network: Id, key };
  },
  (around) => {
    const State = pick(around.random, ["running", "failed", "complete", "starting"] as const);
    const ContainerStatus = { ContainerID: "c0ffee", PID: 12, ExitCode: 1 };
    return {
      kind: "reportTask",
      id: task(around).ID,
      status: { ...statusOf(around, State), ContainerStatus },
    };
  },
  (around) => ({
    kind: "judgeNode",
    id: node(around).ID,
    status: { State: pick(around.random, ["ready", "down", "unknown"] as const), Message: "so" },
  }),
  (around) => {
    const { Version: _, CreatedAt: __, UpdatedAt: ___, ...rest } = task(around);
    return { kind: "createTask", task: { ...rest, ID: around.id() as TaskId } };
  },
  () => ({ kind: "endRootRotation", publicKey: testKey("root1") }),
  (around) => ({
    kind: "assignTask",
    id: task(around).ID,
    node: node(around).ID,
    status: statusOf(around, "assigned"),
  }),
  (around) => ({ kind: "explainTask", id: task(around).ID, status: statusOf(around, "pending") }),
  (around) => ({
    kind: "desireTask",
    id: task(around).ID,
    desired: pick(around.random, ["running", "shutdown", "remove", "complete"] as const),
  }),
  (around) => ({ kind: "orphanTask", id: task(around).ID, status: statusOf(around, "orphaned") }),
  (around) => ({ kind: "removeTask", id: task(around).ID }),
  (around) => {
    const { ID: id, Version } = service(around);
    const StartedAt = new Date(around.nowMs).toISOString();
    const status = { State: "updating", StartedAt, Message: "going" } as const;
    return {
      kind: "progressUpdate",
      id,
      basedOn: Version.Index,
      status,
      waveAtMs: around.nowMs,
      updated: ["1"],
    };
  },
  (around) => {
    const { ID: id, Version } = service(around);
    return { kind: "rollbackService", id, basedOn: Version.Index, message: "back" };
  },
  (around) => {
    const { ID: id, Endpoint } = service(around);
    const VirtualIPs = [{ NetworkID: network(around).Id, Addr: "10.0.0.9/24" }];
    return { kind: "setEndpoint", id, endpoint: { ...Endpoint, VirtualIPs } };
  },
  (around) => {
    const config = [{ Subnet: "10.99.0.0/24", Gateway: "10.99.0.1" }];
    return { kind: "allocateNetwork", id: network(around).Id, vni: 4200, config };
  },
  (around) => ({
    kind: "setGateways",
    id: network(around).Id,
    gateways: { [node(around).ID]: pick(around.random, ["10.0.0.77", ""]) },
  }),
  (around) => ({
    kind: "attachTask",
    id: task(around).ID,
    attachments: [{ network: network(around).Id, address: "10.0.0.44" }],
  }),
  (around) => {
    const { Id: id, Gam } = network(around);
    const [key = around.id()] = Object.keys(Gam.attachments);
    return { kind: "setAttachment", id, key, address: "10.0.0.55" };
  },
  (around) => {
    const { Id: id, Gam } = network(around);
    const [key = around.id()] = Object.keys(Gam.attachments);
    return { kind: "refuseAttachment", id, key };
  },
  (around) => ({ kind: "setTunnel", id: node(around).ID, address: "198.18.0.99" }),
];

export function someChange(around: Surroundings): Change {
  const { view } = around;
  const lists = [view.nodes(), view.services(), view.tasks(), view.networks()];
  const isBare = lists.some(({ length }) => length === 0);
  return (isBare ? newService : pick(around.random, makers))(around);
}
