/** Some change: a change of each kind that the state would accept. Mutants are made of them. */
import type {
  ConfigId,
  NetworkId,
  NodeId,
  Random,
  SecretId,
  ServiceId,
  TaskId,
  VolumeName,
} from "@gam/core";
import { testKey } from "@gam/core/testing";
import {
  type Change,
  type Config,
  type ContainerSpec,
  type JoinToken,
  type Network,
  type NewNode,
  type Node,
  newestKey,
  type Rollout,
  readNetworkSpec,
  type Sealed,
  type Secret,
  type Service,
  type ServiceSpec,
  type Task,
  usedKeys,
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
    Labels: { "gam.sticky": pick(random, ["client", ""]), owner: "somebody" },
    TaskTemplate: {
      ContainerSpec: {
        Image: pick(random, ["app:1", "app:2", "app:flaky"]),
        Env: ["A=1", "NODE={{.Node.Hostname}}"],
        Hostname: "h-{{.Task.Slot}}",
        Mounts: [{ Type: "volume", Source: "data", Target: "/data" }],
        DNSConfig: { Nameservers: ["10.1.1.1"] },
        Privileges: { NoNewPrivileges: true },
        ...someFiles(random, view),
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

/** Some of the secrets and configs as files, and a config as credential spec. */
function someFiles(random: Random, view: View): Pick<ContainerSpec, "Secrets" | "Configs"> {
  const File = (Name: string) => ({ Name, UID: "0", GID: "0", Mode: 292 });
  const Secrets = view
    .secrets()
    .filter(() => random.below(3) === 0)
    .slice(0, 3)
    .map(({ ID, Spec }) => ({ File: File(Spec.Name), SecretID: ID, SecretName: Spec.Name }));
  const Configs = view
    .configs()
    .filter(() => random.below(3) === 0)
    .slice(0, 3)
    .map(({ ID, Spec }, at) => {
      const target = at === 2 ? { Runtime: {} } : { File: File(`/${Spec.Name}`) };
      return { ...target, ConfigID: ID, ConfigName: Spec.Name };
    });
  return { ...(Secrets.length > 0 && { Secrets }), ...(Configs.length > 0 && { Configs }) };
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
  const registryAuth = sealed(around, "auth");
  return { kind: "createService", id, spec: someSpec(around, id), registryAuth };
}

function changedService(around: Surroundings): Change {
  const { ID: id, Spec, Version } = service(around);
  const { random } = around;
  const spec = random.below(5) === 0 ? "previous" : someSpec(around, Spec.Name);
  const registryAuth = pick(random, [sealed(around, "some"), undefined]);
  const registryAuthFrom = pick(random, ["spec", "previous-spec", undefined] as const);
  const basedOn = Version.Index;
  return { kind: "updateService", id, spec, registryAuth, registryAuthFrom, basedOn };
}

/** Text as if sealed with the newest key. */
function sealed({ view }: Surroundings, text: string): Sealed {
  const key = newestKey(view) ?? "";
  return { key, sealed: new TextEncoder().encode(text.padEnd(40, ".")) };
}

function newSecret(around: Surroundings): Change {
  const id = around.id() as SecretId;
  const content = { version: 1, ...sealed(around, id) };
  return { kind: "createSecret", id, spec: { Name: id, Labels: { a: "b" } }, content };
}

function newConfig(around: Surroundings): Change {
  const id = around.id() as ConfigId;
  const Templating = pick(around.random, [{ Name: "golang" as const }, undefined]);
  const spec = { Name: id, Labels: {}, ...(Templating && { Templating }) };
  const data = new TextEncoder().encode(id);
  return { kind: "createConfig", id, spec, content: { version: 1, data } };
}

/** A change of some secret; of a new one where there is none. */
function ofSecret(make: (secret: Secret, around: Surroundings) => Change): Make {
  return (around) => {
    const secrets = around.view.secrets();
    return secrets.length === 0 ? newSecret(around) : make(pick(around.random, secrets), around);
  };
}

function ofConfig(make: (config: Config, around: Surroundings) => Change): Make {
  return (around) => {
    const configs = around.view.configs();
    return configs.length === 0 ? newConfig(around) : make(pick(around.random, configs), around);
  };
}

const ofContents: readonly Make[] = [
  newSecret,
  newConfig,
  ofSecret(({ ID: id, Version, Gam }, around) => {
    const labels = { a: String(around.random.below(9)) };
    const content = { version: Gam.last + 1, ...sealed(around, around.id()) };
    const basedOn = Version.Index;
    if (around.random.below(4) === 0) return { kind: "updateSecret", id, labels, basedOn };
    return { kind: "updateSecret", id, labels, content, basedOn };
  }),
  ofConfig(({ ID: id, Version, Gam }, around) => {
    const content = { version: Gam.last + 1, data: new TextEncoder().encode(around.id()) };
    return { kind: "updateConfig", id, labels: {}, content, basedOn: Version.Index };
  }),
  ofSecret(({ ID: id }) => ({ kind: "removeSecret", id })),
  ofConfig(({ ID: id }) => ({ kind: "removeConfig", id })),
  ofSecret(({ ID: id, Gam }, around) => {
    const { version, key } = pick(around.random, Gam.contents);
    return { kind: "resealSecret", id, version, from: key, to: sealed(around, "anew") };
  }),
  (around) => {
    const { ID: id, Gam, Version } = service(around);
    const which = pick(around.random, ["spec", "previous-spec"] as const);
    const from = Gam.registryAuth?.key ?? newestKey(around.view) ?? "";
    const to = sealed(around, "anew");
    return { kind: "resealCredentials", id, which, from, to, basedOn: Version.Index };
  },
  ({ view, random, id }) => {
    const keys = view.cluster?.SealingKeys ?? [];
    return { kind: "dropSealingKey", id: pick(random, [keys[0]?.ID ?? id(), id()]) };
  },
  ofSecret(({ ID: id, Gam }) => {
    return { kind: "dropSecretContents", id, versions: Gam.contents.map(({ version }) => version) };
  }),
  ofConfig(({ ID: id }) => ({ kind: "dropConfigContents", id, versions: [1, 2, 3] })),
];

/** A record of a volume, or what stands for one. */
function volume({ random, view }: Surroundings) {
  const records = view.volumes();
  if (records.length > 0) return pick(random, records);
  const ID = "data" as VolumeName;
  return { ID, Homes: [], Move: undefined, Leftovers: [], Backups: undefined, Restore: undefined };
}

/** A change of the move of a volume: the present one, if there is one. */
function ofMove(make: (move: { id: VolumeName; move: string; copy: string }) => Change): Make {
  return (around) => {
    const { ID, Move } = volume(around);
    return make({ id: ID, move: Move?.id ?? around.id(), copy: Move?.copy ?? around.id() });
  };
}

const ofVolumes: readonly Make[] = [
  (around) => {
    const { ID, Homes } = volume(around);
    return { kind: "removeVolume", id: ID, node: Homes[0]?.node ?? node(around).ID };
  },
  (around) => {
    const { ID, Homes } = volume(around);
    const [from, to] = [Homes[0]?.node ?? node(around).ID, node(around).ID];
    return { kind: "moveVolume", id: ID, move: around.id(), from, to };
  },
  ofMove(({ id, move }) => ({ kind: "stopVolumeMove", id, move, error: "disk is full" })),
  ofMove(({ id, move }) => ({ kind: "abandonVolumeMove", id, move, error: "host2 is down" })),
  ofMove((move) => ({ kind: "beginVolumeCopy", ...move })),
  ofMove((move) => ({ kind: "reportVolumeMove", ...move, bytes: 5, totalBytes: 9 })),
  ofMove((move) => ({ kind: "endVolumeMove", ...move, digest: "0".repeat(64) })),
  (around) => {
    const { ID, Leftovers = [] } = volume(around);
    const [left = { node: node(around).ID, move: around.id() }] = Leftovers;
    return { kind: "dropVolumeLeftover", id: ID, move: left.move, node: left.node };
  },
  (around) => ({ kind: "backupVolume", id: volume(around).ID, backup: backup(around) }),
  (around) => {
    const { ID, Backups } = volume(around);
    const { list = [] } = Backups ?? {};
    const end = {
      ...({ result: "complete", atMs: 1, reason: "", file: "data.tar", bytes: 5 } as const),
      digest: "0".repeat(64),
    };
    const id = list.at(-1)?.id ?? around.id();
    return { kind: "endBackup", id: ID, backup: id, end, dropped: list.map((one) => one.id) };
  },
  (around) => {
    const { ID, Backups } = volume(around);
    const missed = [{ fromMs: 1, untilMs: 2, count: 2, reason: "it was down" }];
    const schedule = "@daily UTC";
    const { handledMs: sinceMs } = Backups ?? {};
    const starts = [backup(around)];
    return {
      ...{ kind: "handleBackupDue", id: ID, sinceMs, handledMs: 5, schedule, missed, starts },
    };
  },
  (around) => {
    const { ID, Homes } = volume(around);
    const home = Homes[0]?.node ?? node(around).ID;
    const of = { restore: around.id(), node: home, source: "host2:/srv/data.tar", bytes: 5 };
    return { kind: "restoreVolume", id: ID, ...of, digest: "0".repeat(64) };
  },
  (around) => {
    const { ID, Restore } = volume(around);
    const restore = Restore?.id ?? around.id();
    return { kind: "endVolumeRestore", id: ID, restore, error: "the disk failed" };
  },
];

function backup(around: Surroundings) {
  const home = volume(around).Homes[0]?.node ?? node(around).ID;
  return { id: around.id(), node: home, to: "/srv/backups", dueMs: 5 };
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
  ({ view, random }) => ({
    kind: "setPolicy",
    policy: { privileged: pick(random, [["*"], [], ["shop_*"]]), "host-paths": ["*"] },
    basedOn: view.cluster?.Version.Index ?? 0,
  }),
  ({ view }) => ({
    kind: "rotateTokens",
    worker: someToken("w2", view.cluster?.NextRoot?.PublicKey ?? view.cluster?.RootPublicKey ?? ""),
    manager: undefined,
  }),
  ({ view, random, id }) => {
    const root = view.cluster?.RootPublicKey ?? "";
    const next = { PublicKey: testKey(`root${random.below(9)}`), Signature: someSignature };
    const token = someToken("t", next.PublicKey);
    const tokens = { Worker: token, Manager: token };
    const unlockKey = view.cluster?.UnlockKey && { [root]: "key", [next.PublicKey]: "key" };
    const used = usedKeys(view);
    const kept = (view.cluster?.SealingKeys ?? [])
      .filter(({ ID }) => used.has(ID))
      .map(({ ID, Sealed }) => {
        const known = Sealed[root];
        const under = known === undefined ? {} : { [root]: known };
        return { ID, Sealed: { ...under, [next.PublicKey]: "" } };
      });
    const keys = [...kept, { ID: id(), Sealed: { [next.PublicKey]: "" } }];
    return { kind: "rotateRoot", root, next, tokens, keys, unlockKey };
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
  ...ofContents,
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
      version: "0.1.0+build",
    };
  },
  (around) => {
    const { Id, Gam } = network(around);
    const [key = around.id()] = Object.keys(Gam.attachments);
    return { kind: "detachContainer", network: Id, key };
  },
  ...ofVolumes,
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
    generic: [{ NamedResourceSpec: { Kind: "gpu", Value: `gpu${around.random.below(2)}` } }],
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
  (around) => ({ kind: "runJob", id: service(around).ID }),
  (around) => {
    const { ID: id, Version, Gam } = service(around);
    const { nowMs } = around;
    const missed = [{ fromMs: nowMs, untilMs: nowMs, count: 1, reason: "late" }];
    return {
      kind: "handleDue",
      id,
      basedOn: Version.Index,
      sinceMs: Gam.cron?.handledMs,
      handledMs: nowMs,
      missed,
      startMs: nowMs,
    };
  },
  (around) => {
    const end = { result: "failed", atMs: around.nowMs, reason: "no" } as const;
    return { kind: "endRun", id: service(around).ID, iteration: 1, end };
  },
  (around) => {
    const { ID: id, Version } = service(around);
    return { kind: "rollbackService", id, basedOn: Version.Index, message: "back" };
  },
  (around) => {
    const { ID: id, Gam } = service(around);
    const action = pick(around.random, ["pause", "resume", "promote", "abort"] as const);
    return { kind: "steerRollout", id, version: Gam.rollout?.version ?? 0, action };
  },
  (around) => {
    const { ID: id, Version } = service(around);
    const StartedAt = new Date(around.nowMs).toISOString();
    const status = { State: "updating", StartedAt, Message: "so far" } as const;
    const rollout = someRollout(around);
    return {
      kind: "progressRollout",
      ...{ id, basedOn: Version.Index, rollout, status, updated: ["1"] },
    };
  },
  ({ random }) => ({ kind: "askRebalance", auto: random.below(2) === 0, run: true }),
  (around) => {
    const open = {
      ...{ task: task(around).ID, successor: around.id() as TaskId, service: service(around).ID },
      ...{
        from: node(around).ID,
        to: node(around).ID,
        reason: "so",
        atMs: around.nowMs,
        basedOn: 3,
      },
    };
    const past = [{ ...open, endedAtMs: around.nowMs, problem: "it failed" }];
    const basedOn = around.view.cluster?.Rebalance?.serial ?? 0;
    const stopped = { atMs: around.nowMs, reason: "it failed" };
    return { kind: "noteRebalance", basedOn, isAsked: true, open: [open], past, stopped };
  },
  (around) => {
    const { ID: id, Version, Spec } = service(around);
    const from = Spec.Mode.Replicated?.Replicas ?? 1;
    const advice = { now: 4, before: [{ replicas: 3, untilMs: around.nowMs }] };
    const to = from + around.random.below(2);
    return { kind: "scaleService", id, basedOn: Version.Index, from, to, reason: "load", advice };
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

function someRollout(around: Surroundings): Rollout {
  const { serial = 0, version = 0 } = service(around).Gam.rollout ?? {};
  const isOver = around.random.below(4) === 0;
  return {
    ...{ serial, version, base: 1, strategy: "canary", weight: around.random.below(101) },
    ...{ step: 1, phase: "watching", sinceMs: around.nowMs, failed: [task(around).ID] },
    paused: { atMs: around.nowMs, by: "person" },
    ...(isOver && { end: { result: "completed", atMs: around.nowMs, reason: "" } }),
  };
}

export function someChange(around: Surroundings): Change {
  const { view } = around;
  const lists = [view.nodes(), view.services(), view.tasks(), view.networks()];
  const isBare = lists.some(({ length }) => length === 0);
  return (isBare ? newService : pick(around.random, makers))(around);
}
