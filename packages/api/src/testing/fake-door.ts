/**
 * Fake door: a cluster in memory, for tests of the API.
 *
 * The store is the real one and takes every change at once. Behind it stands an orchestrator that is
 * never late: each service has its tasks running as soon as it is written.
 */
import { Readable } from "node:stream";
import { GamError, type NodeId, type ProposalId } from "@gam/core";
import { counterMint } from "@gam/core/testing";
import {
  type AskedChange,
  type Change,
  type ClusterSpec,
  clusterSpecDefault,
  compareStates,
  dataPathDefault,
  type Event,
  type NewNode,
  type NewTask,
  type Service,
  Store,
  type Task,
  type TaskState,
  type View,
} from "@gam/state";
import { aNode, aTask } from "@gam/state/testing";
import type { ClusterDoor, InitRequest, JoinRequest, LogsOptions } from "../door.ts";
import type { GamStatus } from "../gam-status.ts";

export function nodeCalled(hostname: string, id: string): NewNode {
  const address = `10.88.0.${hostname.replace(/\D/g, "") || "1"}`;
  const Resources = { NanoCPUs: 2e9, MemoryBytes: 8e9 };
  return aNode(id, { description: { Hostname: hostname, Resources }, address });
}

export class FakeDoor implements ClusterDoor {
  readonly self: NodeId;
  store = new Store();
  readonly #mint = counterMint("f");
  readonly #listeners = new Set<(event: Event) => void>();
  /** Log streams by task, as the engine would send them. Tasks without one have no container. */
  readonly logs = new Map<string, (options: LogsOptions) => Readable>();
  readonly begun: InitRequest[] = [];
  readonly joined: JoinRequest[] = [];
  /** Set to make every write fail with it, and leaving, unless forced. */
  failure: GamError | undefined;
  #state: "inactive" | "active" = "inactive";
  #nowMs = Date.UTC(2026, 10, 20, 12);

  constructor(self: NodeId) {
    this.self = self;
  }

  state = (): "inactive" | "active" => this.#state;
  view = (): View => this.store;
  leader = (): NodeId | undefined => this.self;
  voters = (): readonly NodeId[] => [this.self];
  reachable = (): boolean => true;
  fresh = (): Promise<void> => Promise.resolve();
  mint = (): string => this.#mint.id();
  secret = (): string => this.#mint.id();

  async propose(changes: readonly AskedChange[]): Promise<{ index: number }> {
    if (this.failure !== undefined) throw this.failure;
    const index = this.apply(changes);
    this.settle();
    return { index };
  }

  subscribe(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async init(request: InitRequest): Promise<NodeId> {
    this.begun.push(request);
    this.start(request.spec, [nodeCalled("host1", this.self)]);
    return this.self;
  }

  async join(request: JoinRequest): Promise<void> {
    if (!request.token.startsWith("gam-1-")) throw new GamError("BAD_TOKEN", "invalid join token");
    this.joined.push(request);
    this.start(clusterSpecDefault, [nodeCalled("host1", this.self)]);
  }

  async meet(): Promise<boolean> {
    return false;
  }

  async leave(force: boolean): Promise<void> {
    if (this.failure !== undefined && !force) throw this.failure;
    this.#state = "inactive";
    this.store = new Store();
  }

  tokens(): { worker: string; manager: string } {
    const { Worker = "", Manager = "" } = this.store.cluster?.Secrets ?? {};
    return { worker: `gam-1-w-${Worker}`, manager: `gam-1-m-${Manager}` };
  }

  async containerLogs(task: Task, options: LogsOptions): Promise<Readable> {
    const open = this.logs.get(task.ID);
    if (open === undefined) throw new GamError("NOT_FOUND", `No such container: ${task.ID}`);
    return open(options);
  }

  status(): GamStatus {
    return {
      version: "0.1.0",
      self: this.self,
      state: this.#state,
      leader: this.self,
      term: 1,
      applied: this.store.index,
      voters: [this.self],
      learners: [],
      nodes: [],
    };
  }

  /** The cluster begins, with these nodes in it. */
  start(spec: ClusterSpec, nodes: readonly NewNode[]): void {
    const cluster = {
      ID: this.mint(),
      Spec: spec,
      Secrets: { Worker: "w1", Manager: "m1" },
      RootPublicKey: "",
      ...dataPathDefault,
    };
    this.apply([
      { kind: "createCluster", cluster },
      ...nodes.map((node) => ({ kind: "joinNode", node }) as const),
    ]);
    this.#state = "active";
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

  /** Makes what runs what should run. */
  settle(): void {
    const changes: Change[] = [];
    const alive = new Set(this.store.services().map((service) => service.ID));
    for (const task of this.store.tasks()) {
      if (!alive.has(task.ServiceID)) changes.push({ kind: "removeTask", id: task.ID });
    }
    for (const service of this.store.services()) changes.push(...this.#settleOne(service));
    if (changes.length > 0) this.apply(changes);
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
      { kind: "reportTask", id: task.ID, status: this.#status("shutdown") },
    ];
  }

  task(service: Service, node: NodeId, more: Partial<NewTask>): NewTask {
    const extra = {
      templateVersion: service.Gam.templateVersion,
      endpoint: service.Spec.EndpointSpec ?? {},
      serviceName: service.Spec.Name,
      serviceLabels: service.Spec.Labels ?? {},
      registryAuth: service.Gam.registryAuth,
    };
    const task = aTask(service.ID, this.mint(), {
      node,
      template: service.Spec.TaskTemplate,
      extra,
    });
    return { ...task, Status: this.#status("running"), ...more };
  }

  #status(State: TaskState): Task["Status"] {
    const Timestamp = new Date(this.#nowMs).toISOString();
    return { Timestamp, State, Message: State, ContainerStatus: { ContainerID: "c1", PID: 1 } };
  }
}

/** An engine's log stream that ends after these bytes. */
export function endedLog(bytes: Buffer): () => Readable {
  return () => Readable.from([bytes]);
}
