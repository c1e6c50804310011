/**
 * Fake door: a cluster in memory, for tests of the API.
 *
 * The store is the real one and applies every change at once. A fake orchestrator acts at once, too: as soon as a
 * service is written its tasks run, and each network has its subnet, gateways and addresses.
 */
import { createHash } from "node:crypto";
import { type Duplex, duplexPair } from "node:stream";
import { GamError, type NetworkId, type NodeId, type ProposalId } from "@gam/core";
import { counterMint, testKey } from "@gam/core/testing";
import {
  type AskedChange,
  type Change,
  type ClusterSpec,
  clusterSpecDefault,
  compareStates,
  currentContents,
  type DataPath,
  dataPathDefault,
  type Event,
  type JoinToken,
  type Network,
  type NewNode,
  type NewTask,
  type NodeRole,
  networkNeed,
  newestKey,
  newIngressNetwork,
  type PortConfig,
  type RebalanceMove,
  type Sealed,
  type SealedForRoots,
  type Service,
  Store,
  serviceNetworks,
  type Task,
  type TaskAttachment,
  type TaskState,
  type Usage,
  type View,
} from "@gam/state";
import type {
  GamStatus,
  HttpReport,
  ImagePush,
  PlanReport,
  PruneRow,
  RecoverReport,
  WhyReport,
} from "@gam/state/answers";
import { aNode, aSealingKey, aTask, aToken } from "@gam/state/testing";
import type { DoctorFacts, HostFacts, Mend } from "../door/doctor-facts.ts";
import type {
  ClusterDoor,
  ClusterState,
  InitRequest,
  RehearsalDoor,
  SecretSeals,
  SwarmJoinRequest,
  UpgradeDoor,
  WhySubject,
} from "../door/door.ts";
import { FakeBackups } from "./fake-backups.ts";

export function nodeCalled(hostname: string, id: string): NewNode {
  const address = `10.88.0.${hostname.replace(/\D/g, "") || "1"}`;
  const Resources = { NanoCPUs: 2e9, MemoryBytes: 8e9 };
  return aNode(id, { description: { Hostname: hostname, Resources }, address });
}

/** As many as a real seal adds. */
const sealBytes = 28;

export class FakeDoor implements ClusterDoor {
  /** Without hosts, and deaf. */
  upgrade: UpgradeDoor = {
    report: async () => ({
      ...{ self: this.self, leader: this.self, autolock: false, applied: 1 },
      ...{ voters: [this.self], hosts: [] },
    }),
    take: async () => Promise.reject(new GamError("REFUSED", "Cannot take it: no test wants it")),
    give: async () => ({ state: "done", bytes: 0, reason: "" }),
    install: async () => undefined,
  };
  readonly usages = new Map<NodeId, Usage>();
  readonly self: NodeId;
  store = new Store();
  readonly #mint = counterMint("f");
  readonly #listeners = new Set<(event: Event) => void>();
  /** Takes the connections to other hosts' containers. A host without an entry does not answer. */
  readonly hosts = new Map<NodeId, (stream: Duplex) => void>();
  readonly begun: InitRequest[] = [];
  readonly joined: SwarmJoinRequest[] = [];
  /** If set, every write fails with it, and so does leaving, unless forced. */
  failure: GamError | undefined;
  /** If set, joining fails with it. */
  joinFailure: GamError | undefined;
  /** If set, networks get no subnets and containers no addresses. */
  full = false;
  /** Networks for which ensureNetwork() was called. */
  readonly ensured: NetworkId[] = [];
  #addresses = 1;
  #ports = 30_000;
  #state: ClusterState = "inactive";
  #unlockKeys = 0;
  #nowMs = Date.UTC(2026, 10, 20, 12);

  constructor(self: NodeId) {
    this.self = self;
  }

  /** The time of the last change. */
  get nowMs(): number {
    return this.#nowMs;
  }

  state = (): ClusterState => this.#state;
  view = (): View => this.store;
  leader = (): NodeId | undefined => this.self;
  voters = (): readonly NodeId[] => [this.self];
  reachable: (id: NodeId) => boolean = () => true;
  fresh = (): Promise<boolean> => Promise.resolve(true);
  mint = (): string => this.#mint.id();

  async propose(changes: readonly AskedChange[]): Promise<{ index: number }> {
    if (this.failure !== undefined) throw this.failure;
    const index = this.apply(changes);
    this.settle();
    return { index };
  }

  async rotateRoot(changes: readonly AskedChange[]): Promise<void> {
    const { RootPublicKey: root = "", SealingKeys = [] } = this.store.cluster ?? {};
    const next = { PublicKey: Buffer.alloc(32, this.mint()).toString("base64"), Signature: "" };
    const under = [next.PublicKey];
    const tokens = { Worker: aToken(this.mint(), under), Manager: aToken(this.mint(), under) };
    const kept = SealingKeys.map(({ ID, Sealed }) => {
      return { ID, Sealed: { ...Sealed, [next.PublicKey]: "" } };
    });
    const keys = [...kept, aSealingKey(this.mint(), under)];
    const known = this.store.cluster?.UnlockKey;
    const unlockKey = known && { [root]: this.unlockKey(), [next.PublicKey]: this.unlockKey() };
    await this.propose([...changes, { kind: "rotateRoot", root, next, tokens, keys, unlockKey }]);
  }

  async rotateTokens(roles: readonly NodeRole[], changes: readonly AskedChange[]): Promise<void> {
    const { RootPublicKey = "", NextRoot } = this.store.cluster ?? {};
    const under = [NextRoot?.PublicKey ?? RootPublicKey];
    const fresh = (role: NodeRole): JoinToken | undefined =>
      roles.includes(role) ? aToken(this.mint(), under) : undefined;
    const [worker, manager] = [fresh("worker"), fresh("manager")];
    await this.propose([...changes, { kind: "rotateTokens", worker, manager }]);
  }

  newUnlockKey(): SealedForRoots {
    this.#unlockKeys += 1;
    const { RootPublicKey = testKey("root") } = this.store.cluster ?? {};
    return { [RootPublicKey]: `SWMKEY-1-${this.#unlockKeys}` };
  }

  unlockKey(): string {
    const { RootPublicKey = "", UnlockKey } = this.store.cluster ?? {};
    return UnlockKey?.[RootPublicKey] ?? "";
  }

  /** The host restarts with a locked disk. */
  lock(): void {
    this.#state = "locked";
  }

  async unlock(key: string): Promise<void> {
    if (this.#state !== "locked") throw new GamError("IN_USE", "swarm is not locked");
    if (key !== this.unlockKey()) {
      throw new GamError("BAD_TOKEN", "swarm could not be unlocked: invalid key provided");
    }
    this.#state = "active";
  }

  sealer = (): SecretSeals => ({
    sealSecret: (_, version, data) => this.#seal(data, version),
    openSecret: ({ Gam }, version) => {
      const content = Gam.contents.find((one) => one.version === version);
      return this.opened(content, version);
    },
    sealCredentials: (_, text) => this.#seal(Buffer.from(text), 0),
  });

  /** Returns: what sealer() sealed. */
  opened(content: Sealed | undefined, version: number): Uint8Array {
    return (content?.sealed ?? new Uint8Array())
      .subarray(sealBytes)
      .map((byte) => byte ^ (version + 1));
  }

  #seal(data: Uint8Array, version: number): Sealed {
    const key = newestKey(this.store) ?? "";
    const hidden = data.map((byte) => byte ^ (version + 1));
    return { key, sealed: Buffer.concat([Buffer.alloc(sealBytes), hidden]) };
  }

  subscribe(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async init(request: InitRequest): Promise<NodeId> {
    this.begun.push(request);
    this.start(request.spec, [nodeCalled("host1", this.self)], request.dataPath);
    return this.self;
  }

  async join(request: SwarmJoinRequest): Promise<void> {
    if (this.joinFailure !== undefined) throw this.joinFailure;
    if (!request.token.startsWith("gam-1-")) throw new GamError("BAD_TOKEN", "Cannot read it");
    this.joined.push(request);
    this.start(clusterSpecDefault, [nodeCalled("host1", this.self)]);
  }

  async meet(): Promise<boolean> {
    return false;
  }

  async leave(force: boolean): Promise<boolean> {
    if (this.failure !== undefined && !force) throw this.failure;
    this.#state = "inactive";
    this.store = new Store();
    return this.failure !== undefined;
  }

  tokens(): { worker: string; manager: string } {
    const { Worker, Manager } = this.store.cluster?.Tokens ?? {};
    return {
      worker: `gam-1-w-${Worker?.PublicKey ?? ""}`,
      manager: `gam-1-m-${Manager?.PublicKey ?? ""}`,
    };
  }

  upgrades = (): UpgradeDoor => this.upgrade;

  async pushImage(image: string, nodes: readonly NodeId[]): Promise<ImagePush> {
    const state = image === "slow:1" ? "going" : "done";
    const hosts = nodes.map((node) => ({ host: node, state, bytes: 5, reason: "" }) as const);
    return { id: `id of ${image}`, hosts };
  }

  async pruneImages(nodes: readonly NodeId[], wish: object): Promise<PruneRow[]> {
    const problem = JSON.stringify(wish);
    return nodes.map((host) => ({ host, images: [], cacheBytes: 3, problem }));
  }

  usage(): ReadonlyMap<NodeId, Usage> {
    return this.usages;
  }

  async containersOf(node: NodeId): Promise<Duplex> {
    const accept = this.hosts.get(node);
    if (accept === undefined) throw new GamError("UNREACHABLE", "it is not connected");
    const [here, there] = duplexPair();
    endTogether(here, there);
    accept(there);
    return here;
  }

  async ensureNetwork(id: NetworkId): Promise<void> {
    this.ensured.push(id);
  }

  /** What examine() says of hosts. */
  examined: DoctorFacts["examined"] = [];

  async examine(): Promise<DoctorFacts> {
    return {
      self: this.self,
      examined: this.examined,
      pools: { subnets: 1, subnetsFree: 1, networks: [] },
      clashes: [],
      leaderlessMs: 0,
      voters: [this.self],
      rivals: [],
    };
  }

  /** The answer of examineHost(). */
  hostFacts: HostFacts = {
    ...{ hostname: "host1", version: "0.1.0", disks: [], line: "up" },
    engine: { state: "ready", reason: "", version: "28.2.0", inSwarm: false },
    memory: { availableBytes: 2 ** 30, totalBytes: 2 ** 32 },
    conntrack: { used: 0, max: 0 },
  };

  async examineHost(): Promise<HostFacts> {
    return this.hostFacts;
  }

  readonly mended: string[] = [];

  async mend(node: NodeId, mend: Mend): Promise<string> {
    if (this.failure !== undefined) throw this.failure;
    this.mended.push(`${mend} of ${node}`);
    return "Done";
  }

  /** The answer of movesWanted(). */
  moves: readonly RebalanceMove[] = [];

  movesWanted(): readonly RebalanceMove[] {
    return this.moves;
  }

  /** The answer of recoverReport(). */
  recoverable: RecoverReport | undefined;
  readonly recovered: boolean[] = [];

  async recoverReport(): Promise<RecoverReport> {
    if (this.recoverable === undefined) throw new GamError("REFUSED", "nothing to recover from");
    return this.recoverable;
  }

  async recover(force: boolean): Promise<void> {
    this.recovered.push(force);
  }

  /** The answer of httpReport(). */
  served: HttpReport = { proxy: null, sites: [], problems: [] };

  httpReport(): HttpReport {
    return this.served;
  }

  /** The answer of why(), for each object. */
  explained: Omit<WhyReport, "kind" | "id"> | undefined;

  why({ kind, id }: WhySubject): WhyReport | undefined {
    return this.explained && { ...this.explained, kind, id };
  }

  /** The answer of a rehearsal. */
  foreseen: PlanReport = { objects: [], tasks: [], isComplete: true };

  readonly fakeBackups = new FakeBackups();
  backups = (): FakeBackups => this.fakeBackups;

  rehearse(): RehearsalDoor {
    const store = Store.like(this.store);
    return {
      view: store,
      propose: (changes) => {
        const id = this.mint() as ProposalId;
        return store.apply(store.index + 1, { id, atMs: this.nowMs, changes }).outcome;
      },
      finish: () => this.foreseen,
    };
  }

  status(): GamStatus {
    return {
      version: "0.1.0",
      self: this.self,
      state: this.#state,
      autolock: this.store.cluster?.UnlockKey !== undefined,
      leader: this.self,
      term: 1,
      leaderlessMs: 0,
      isCaughtUp: true,
      stateAtMs: 0,
      life: 1,
      isMute: false,
      rivals: [],
      applied: this.store.index,
      voters: [this.self],
      learners: [],
      nodes: [],
      pools: { subnets: 1, subnetsFree: 1, networks: [] },
      notUp: [],
      rootAwaits: null,
      troubles: [],
      problems: [],
    };
  }

  /** Creates the cluster with these nodes. */
  start(spec: ClusterSpec, nodes: readonly NewNode[], dataPath: DataPath = dataPathDefault): void {
    const cluster = {
      ID: this.mint(),
      Spec: spec,
      ...(spec.EncryptionConfig.AutoLockManagers && { UnlockKey: this.newUnlockKey() }),
      Tokens: { Worker: aToken("w1"), Manager: aToken("m1") },
      RootPublicKey: testKey("root"),
      RootSelfSignature: Buffer.alloc(64, "s").toString("base64"),
      SealingKeys: [aSealingKey(this.mint())],
      ...dataPath,
    };
    this.apply([
      { kind: "createCluster", cluster },
      ...nodes.map((node) => ({ kind: "joinNode", node }) as const),
      { kind: "createNetwork", network: newIngressNetwork(this.mint() as NetworkId) },
    ]);
    this.#state = "active";
    this.settle();
  }

  /** Errors: GamError with the store's refusal. */
  apply(changes: readonly Change[]): number {
    this.#nowMs += 1000;
    const id = this.mint() as ProposalId;
    const index = this.store.index + 1;
    const { outcome, events } = this.store.apply(index, { id, atMs: this.#nowMs, changes });
    if (outcome.kind === "refused") throw new GamError(outcome.code, outcome.message);
    for (const event of events) for (const listener of this.#listeners) listener(event);
    return index;
  }

  /** Creates and removes tasks to match the services. */
  settle(): void {
    if (!this.full) this.#settleNetworks();
    const changes: Change[] = [];
    const alive = new Set(this.store.services().map((service) => service.ID));
    for (const task of this.store.tasks()) {
      if (!alive.has(task.ServiceID)) changes.push({ kind: "removeTask", id: task.ID });
    }
    for (const service of this.store.services()) changes.push(...this.#settleOne(service));
    if (changes.length > 0) this.apply(changes);
  }

  /** Gives every network its subnet and a gateway on every node. */
  #settleNetworks(): void {
    const changes: Change[] = [];
    for (const network of this.store.networks()) {
      const { Id: id, Gam, IPAM } = network;
      const nodes = this.store.nodes().filter(({ ID }) => Gam.gateways[ID] === undefined);
      if (Gam.vni === 0) {
        const vni = 4096 + this.store.networks().indexOf(network);
        const { Subnet = `10.0.${vni - 4096}.0/24`, ...asked } = IPAM.Config[0] ?? {};
        const Gateway = Subnet.replace(/\d+\/\d+$/, "1");
        changes.push({ kind: "allocateNetwork", id, vni, config: [{ Gateway, ...asked, Subnet }] });
      } else if (nodes.length > 0) {
        const gateways = nodes.map(({ ID }) => [ID, this.#address(network)]);
        changes.push({ kind: "setGateways", id, gateways: Object.fromEntries(gateways) });
      }
      for (const [key, { address, wish }] of Object.entries(Gam.attachments)) {
        if (address !== "" || Gam.vni === 0) continue;
        const given = wish ?? this.#address(network);
        changes.push({ kind: "setAttachment", id, key, address: given });
      }
    }
    for (const service of this.store.services()) {
      const known = service.Endpoint.VirtualIPs ?? [];
      const networks = serviceNetworks(service, this.store);
      const wanted = service.Spec.EndpointSpec?.Ports ?? [];
      const hasPorts = wanted.length === (service.Endpoint.Ports ?? []).length;
      const hasVips = networks.every(({ Id }) => known.some(({ NetworkID }) => NetworkID === Id));
      if (hasPorts && hasVips) continue;
      const Ports = wanted.map((port) => this.#withNumber(port));
      const VirtualIPs = networks.map((one) => ({
        NetworkID: one.Id,
        Addr: `${this.#address(one)}/24`,
      }));
      const endpoint = {
        ...service.Endpoint,
        ...(Ports.length > 0 && { Ports }),
        ...(VirtualIPs.length > 0 && { VirtualIPs }),
      };
      changes.push({ kind: "setEndpoint", id: service.ID, endpoint });
    }
    if (changes.length === 0) return;
    this.apply(changes);
    this.#settleNetworks();
  }

  #withNumber(port: PortConfig): PortConfig {
    if (port.PublishedPort || port.PublishMode === "host") return port;
    this.#ports += 1;
    return { ...port, PublishedPort: this.#ports };
  }

  /** Returns: an address that was never used. */
  #address({ IPAM }: Network): string {
    this.#addresses += 1;
    return (IPAM.Config[0]?.Subnet ?? "").replace(/\d+\/\d+$/, String(this.#addresses));
  }

  #attachments(task: NewTask): readonly TaskAttachment[] {
    return networkNeed(task, this.store).networks.flatMap((id) => {
      const network = this.store.network(id);
      return network === undefined ? [] : [{ network: id, address: this.#address(network) }];
    });
  }

  #settleOne(service: Service): Change[] {
    const changes: Change[] = [];
    const nodes = this.store.nodes();
    const { Mode } = service.Spec;
    const slots =
      Mode.Global === undefined
        ? Array.from({ length: Mode.Replicated?.Replicas ?? 1 }, (_, at) => String(at + 1))
        : nodes.map((node) => node.ID as string);
    const filled = new Set<string>();
    for (const task of this.store.tasksOf(service.ID)) {
      if (compareStates(task.DesiredState, "running") > 0) continue;
      const slot = task.Slot === undefined ? (task.NodeID ?? "") : String(task.Slot);
      const current = task.Gam.templateVersion === service.Gam.templateVersion;
      if (current && slots.includes(slot)) filled.add(slot);
      else if (!slots.includes(slot)) changes.push({ kind: "removeTask", id: task.ID });
      else changes.push(...this.#end(task));
    }
    slots.forEach((slot, at) => {
      const node = nodes[at % nodes.length];
      if (filled.has(slot) || node === undefined) return;
      const place = Mode.Global === undefined ? { Slot: Number(slot) } : {};
      changes.push({ kind: "createTask", task: this.task(service, node.ID, place) });
    });
    return changes;
  }

  #end(task: Task): Change[] {
    return [
      { kind: "desireTask", id: task.ID, desired: "shutdown" },
      { kind: "reportTask", id: task.ID, status: this.#status("shutdown", task.ID) },
    ];
  }

  task(service: Service, node: NodeId, more: Partial<NewTask>): NewTask {
    const extra = {
      templateVersion: service.Gam.templateVersion,
      endpoint: service.Spec.EndpointSpec ?? {},
      serviceName: service.Spec.Name,
      serviceLabels: service.Spec.Labels ?? {},
      credentials: service.Gam.registryAuth !== undefined,
      contents: currentContents(this.store, service.Spec.TaskTemplate),
    };
    const task = aTask(service.ID, this.mint(), {
      node,
      template: service.Spec.TaskTemplate,
      extra,
    });
    const Gam = { ...task.Gam, attachments: this.#attachments(task) };
    return { ...task, Gam, Status: this.#status("running", task.ID), ...more };
  }

  #status(State: TaskState, id: string): Task["Status"] {
    const Timestamp = new Date(this.#nowMs).toISOString();
    const ContainerID = createHash("sha256").update(id).digest("hex");
    return { Timestamp, State, Message: State, ContainerStatus: { ContainerID, PID: 1 } };
  }
}

/** As in the mesh: when one end of a stream is closed early, the other one fails. */
function endTogether(...pair: readonly [Duplex, Duplex]): void {
  for (const [one, other] of [pair, pair.toReversed()] as [Duplex, Duplex][]) {
    one.on("error", () => undefined);
    one.once("close", () => {
      if (one.readableEnded && one.writableFinished) return;
      other.destroy(new GamError("UNREACHABLE", "the peer hung up"));
    });
  }
}
