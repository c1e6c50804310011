/**
 * Sim engine: simulates a Docker engine, in ticks.
 *
 * Like a real engine it keeps images, networks, containers and their files when the worker restarts, and it has
 * the same faults: it refuses, loses events, goes away, and comes back. The suite of the runtime package runs against
 * this engine and the real one.
 *
 * Drive it with perform() for each action and with tick(); pass the results of tick() to the worker.
 */
import { assert, type NetworkId, type Random, type TaskId } from "@gam/core";
import { label, type NetworkPlan, type PortConfig } from "@gam/state";
import type {
  ActionOutcome,
  ContainerPlan,
  ContainerState,
  EngineAction,
  TaskFile,
  WorkerInput,
} from "../index.ts";

/** How the containers of an image behave. Ticks are counted from the start of each. */
export interface FakeProgram {
  /** The container ends by itself after so long. */
  readonly exitTicks?: number;
  readonly exitCode?: number;
  /** How long it takes to stop. */
  readonly stopTicks?: number;
  readonly stopCode?: number;
  /** When set, the start fails with this message. */
  readonly startError?: string;
  /** The container is healthy after so long. Absent: there is no check. */
  readonly healthyTicks?: number;
}

export interface SimEngineOptions {
  /** Images that the engine has. */
  readonly images?: readonly string[];
  /** Images that can be pulled. */
  readonly registry?: readonly string[];
  readonly programs?: Readonly<Record<string, FakeProgram>>;
  /** Ticks that an action takes, at least 1. */
  readonly actionTicks?: (action: EngineAction) => number;
  /** Ticks between whole lists of containers. */
  readonly resyncTicks?: number;
  /** Share of the reports about single containers that are lost. */
  readonly newsLostPercent?: number;
  readonly random?: Random;
}

interface Container {
  state: ContainerState;
  readonly plan: ContainerPlan;
  startedTick: number;
  /** When each of its connections ends by itself. */
  connectedTicks: readonly number[];
}

const sigkill = 137;
const sigterm = 143;

export class SimEngine {
  readonly #options: SimEngineOptions;
  readonly #images: Set<string>;
  readonly #networks = new Map<NetworkId, NetworkPlan>();
  readonly #containers = new Map<string, Container>();
  /** In memory only: a power loss empties it. */
  readonly #files = new Map<TaskId, readonly TaskFile[]>();
  #flying: { readonly action: EngineAction; readonly dueTick: number }[] = [];
  #news: WorkerInput[] = [];
  #nowTick = 0;
  #resyncTick = 0;
  #nextId = 1;
  #nextNetwork = 0;
  #lost = "";
  #silent = false;

  constructor(options: SimEngineOptions = {}) {
    this.#options = options;
    this.#images = new Set(options.images);
  }

  /**
   * A new worker begins to watch. Actions of the worker before it are completed without an answer. But a container
   * that was being created is not in its networks, because that takes several calls.
   */
  attach(): void {
    for (const { action } of this.#flying) {
      if (action.kind === "create" && this.#lost === "")
        this.#create(action.task, action.plan, false);
      else this.#do(action);
    }
    this.#flying = [];
    this.#news = [this.#presence()];
    this.#resyncTick = this.#nowTick + 1;
  }

  perform(action: EngineAction): void {
    const ticks =
      action.kind === "stop"
        ? this.#stopTicks(action.container)
        : this.#options.actionTicks?.(action);
    this.#flying.push({ action, dueTick: this.#nowTick + Math.max(1, ticks ?? 1) });
  }

  tick(): WorkerInput[] {
    this.#nowTick += 1;
    for (const container of this.#containers.values()) this.#age(container);
    const due = this.#flying.filter(({ dueTick }) => dueTick <= this.#nowTick);
    this.#flying = this.#flying.filter(({ dueTick }) => dueTick > this.#nowTick);
    const acted = due.map(({ action }): WorkerInput => {
      return { kind: "acted", id: action.id, outcome: this.#do(action) };
    });
    if (this.#lost === "" && this.#nowTick >= this.#resyncTick) {
      this.#resyncTick = this.#nowTick + (this.#options.resyncTicks ?? 100);
      this.#news.push({ kind: "containers", containers: this.containers() });
    }
    const news = this.#news;
    this.#news = [];
    return [...news, ...acted];
  }

  containers(): ContainerState[] {
    return [...this.#containers.values()].map(({ state }) => state);
  }

  container(task: TaskId): ContainerState | undefined {
    return this.containers().find((state) => state.task === task);
  }

  networks(): NetworkId[] {
    return [...this.#networks.keys()];
  }

  images(): string[] {
    return [...this.#images];
  }

  /** The tasks that have files here. */
  filed(): TaskId[] {
    return [...this.#files.keys()];
  }

  /** Whether no manager can be asked for the data of files. */
  silence(silent: boolean): void {
    this.#silent = silent;
  }

  /** Makes the task's container end by itself. */
  exit(task: TaskId, exitCode: number): void {
    const container = this.#of(task);
    if (container?.state.phase === "running") this.#end(container, exitCode);
  }

  health(task: TaskId, health: ContainerState["health"]): void {
    const container = this.#of(task);
    if (container !== undefined) this.#change(container, { health });
  }

  /** A client opens a connection to the task, which lasts so long. Returns: false if the task does not run. */
  connect(task: TaskId, ticks: number): boolean {
    const container = this.#of(task);
    if (container?.state.phase !== "running") return false;
    container.connectedTicks = [...container.connectedTicks, this.#nowTick + ticks];
    return true;
  }

  /** Connections to the task that are open now. */
  connections(task: TaskId): number {
    const ends = this.#of(task)?.connectedTicks ?? [];
    return ends.filter((endTick) => endTick > this.#nowTick).length;
  }

  /** Removes the container, as somebody may do by hand. */
  remove(task: TaskId): void {
    const container = this.#of(task);
    if (container === undefined) return;
    this.#containers.delete(container.state.id);
    this.#tell({ ...container.state, phase: "gone" });
  }

  /** Adds a container with gam's labels that no task has. */
  plant(state: ContainerState): void {
    const plan = { name: state.id, image: "", body: {}, joins: [], files: [] };
    this.#containers.set(state.id, {
      ...{ state, plan, connectedTicks: [] },
      startedTick: this.#nowTick,
    });
  }

  /** Stops the engine's answers. Its containers keep running. */
  lose(reason: string): void {
    this.#lost = reason;
    this.#news.push(this.#presence());
  }

  recover(): void {
    this.#lost = "";
    this.#news.push(this.#presence());
    this.#resyncTick = this.#nowTick;
  }

  /** The host loses power: when it is back, all running containers have ended and there are no files. */
  powerLoss(): void {
    this.#files.clear();
    for (const container of this.#containers.values()) {
      if (container.state.phase !== "running") continue;
      const { network: _, ...state } = container.state;
      container.state = { ...state, phase: "exited", exitCode: sigkill, pid: 0 };
      container.connectedTicks = [];
    }
    this.#flying = [];
    this.#news = [];
  }

  #presence(): WorkerInput {
    return { kind: "engine", ready: this.#lost === "", reason: this.#lost };
  }

  #of(task: TaskId): Container | undefined {
    return [...this.#containers.values()].find(({ state }) => state.task === task);
  }

  #program(plan: ContainerPlan): FakeProgram {
    return this.#options.programs?.[plan.image] ?? {};
  }

  #stopTicks(id: string): number {
    const container = this.#containers.get(id);
    return container === undefined ? 1 : (this.#program(container.plan).stopTicks ?? 1);
  }

  #age(container: Container): void {
    if (container.state.phase !== "running") return;
    const { exitTicks, exitCode, healthyTicks } = this.#program(container.plan);
    const age = this.#nowTick - container.startedTick;
    const checked = container.state.health === "starting" && age === healthyTicks;
    if (checked) this.#change(container, { health: "healthy" });
    if (exitTicks !== undefined && age >= exitTicks) this.#end(container, exitCode ?? 0);
  }

  #end(container: Container, exitCode: number): void {
    container.connectedTicks = [];
    const { network: _, ...state } = container.state;
    container.state = state;
    this.#change(container, { phase: "exited", exitCode, pid: 0, ports: [] });
  }

  #change(container: Container, change: Partial<ContainerState>): void {
    container.state = { ...container.state, ...change };
    this.#tell(container.state);
  }

  #tell(container: ContainerState): void {
    const { newsLostPercent = 0, random } = this.#options;
    if (this.#lost !== "" || (random !== undefined && random.below(100) < newsLostPercent)) return;
    this.#news.push({ kind: "container", container });
  }

  #do(action: EngineAction): ActionOutcome {
    if (this.#lost !== "") {
      // The interrupted create may have made a container.
      if (action.kind === "create" && action.plan.joins.length > 0) {
        this.#create(action.task, action.plan, false);
      }
      return { ok: false, failure: "engine", message: this.#lost };
    }
    switch (action.kind) {
      case "ensureImage":
        return this.#ensureImage(action.image);
      case "ensureNetwork":
        this.#networks.set(action.network.network, action.network);
        return { ok: true };
      case "pruneNetworks":
        return this.#pruneNetworks(action.keep);
      case "placeFiles":
      case "dropFiles":
      case "sweepFiles":
        return this.#doFiles(action);
      case "create":
        return this.#create(action.task, action.plan, true);
      case "count":
        return { ok: true, connections: this.connections(action.task) };
      default:
        return this.#doTo(action);
    }
  }

  #ensureImage(image: string): ActionOutcome {
    if (this.#options.registry?.includes(image)) this.#images.add(image);
    if (this.#images.has(image)) return { ok: true };
    return { ok: false, failure: "image", message: `No such image: ${image}` };
  }

  #doFiles(
    action: Extract<EngineAction, { kind: "placeFiles" | "dropFiles" | "sweepFiles" }>,
  ): ActionOutcome {
    switch (action.kind) {
      case "placeFiles":
        if (this.#silent) return { ok: false, failure: "contents", message: "no manager answers" };
        this.#files.set(action.task, action.files);
        break;
      case "dropFiles":
        this.#files.delete(action.task);
        break;
      case "sweepFiles":
        for (const task of this.filed()) if (!action.keep.includes(task)) this.#files.delete(task);
        break;
    }
    return { ok: true };
  }

  #hasFiles(task: TaskId, { files }: ContainerPlan): boolean {
    return files.length === 0 || files.length === this.#files.get(task)?.length;
  }

  #pruneNetworks(keep: readonly NetworkId[]): ActionOutcome {
    for (const id of [...this.#networks.keys()]) {
      if (keep.includes(id)) continue;
      const used = [...this.#containers.values()].some(({ plan }) =>
        plan.joins.some(({ network }) => network === id),
      );
      if (used) return { ok: false, failure: "refused", message: `network ${id} is in use` };
      this.#networks.delete(id);
    }
    return { ok: true };
  }

  /** `whole`: also connects it to its networks. */
  #create(task: TaskId, plan: ContainerPlan, whole: boolean): ActionOutcome {
    const known = this.#of(task);
    if (known !== undefined) {
      if (known.state.phase === "unfinished" && whole) this.#change(known, { phase: "created" });
      return { ok: true, container: known.state };
    }
    if (!this.#images.has(plan.image)) {
      return { ok: false, failure: "image", message: `No such image: ${plan.image}` };
    }
    const missing = plan.joins.find(({ network }) => !this.#networks.has(network));
    if (missing !== undefined) {
      return { ok: false, failure: "network", message: `network ${missing.network} not found` };
    }
    if (!this.#hasFiles(task, plan)) {
      return { ok: false, failure: "refused", message: "bind source path does not exist" };
    }
    const id = String(this.#nextId).padStart(64, "0");
    this.#nextId += 1;
    const { healthyTicks } = this.#program(plan);
    const labels = plan.body.Labels as Readonly<Record<string, string>>;
    const wanted = Number(labels[label.networks]);
    const state: ContainerState = {
      id,
      task,
      phase: plan.joins.length < wanted || (!whole && wanted > 0) ? "unfinished" : "created",
      exitCode: 0,
      pid: 0,
      health: healthyTicks === undefined ? "none" : "starting",
      ports: [],
    };
    this.#containers.set(id, { state, plan, startedTick: 0, connectedTicks: [] });
    this.#tell(state);
    return { ok: true, container: state };
  }

  #doTo(action: Extract<EngineAction, { container: string }>): ActionOutcome {
    const container = this.#containers.get(action.container);
    if (container === undefined) {
      if (action.kind === "remove") return { ok: true };
      return { ok: false, failure: "gone", message: `No such container: ${action.container}` };
    }
    const program = this.#program(container.plan);
    switch (action.kind) {
      case "start":
        if (!this.#hasNetwork(container)) {
          const message = "cannot join network of a non running container";
          return { ok: false, failure: "refused", message };
        }
        if (program.startError !== undefined) {
          return { ok: false, failure: "refused", message: program.startError };
        }
        assert(container.state.phase !== "unfinished", "a container starts in its networks");
        assert(this.#hasFiles(action.task, container.plan), "a container starts with its files");
        if (container.state.phase !== "running") this.#start(container, program);
        break;
      case "stop":
        if (container.state.phase === "running") this.#end(container, program.stopCode ?? sigterm);
        break;
      case "remove":
        this.#containers.delete(action.container);
        this.#tell({ ...container.state, phase: "gone" });
        return { ok: true };
      case "inspect":
        break;
    }
    return { ok: true, container: container.state };
  }

  /** The container whose network it shares, by its id; undefined for a network of its own. */
  #hostOf({ plan }: Container): string | undefined {
    const { NetworkMode = "" } = (plan.body.HostConfig ?? {}) as { NetworkMode?: string };
    return /^container:(.+)$/.exec(NetworkMode)?.[1];
  }

  #hasNetwork(container: Container): boolean {
    const host = this.#hostOf(container);
    return host === undefined || this.#containers.get(host)?.state.phase === "running";
  }

  #start(container: Container, program: FakeProgram): void {
    container.startedTick = this.#nowTick;
    this.#nextNetwork += 1;
    this.#change(container, {
      network:
        this.#containers.get(this.#hostOf(container) ?? "")?.state.network ??
        `net:[${this.#nextNetwork}]`,
      phase: "running",
      exitCode: 0,
      pid: 1000 + Number(container.state.id),
      health: program.healthyTicks === undefined ? "none" : "starting",
      ports: portsOf(container.plan),
    });
  }
}

function portsOf(plan: ContainerPlan): PortConfig[] {
  const host = plan.body.HostConfig as {
    PortBindings?: Record<string, readonly { HostPort: string }[]>;
  };
  return Object.entries(host.PortBindings ?? {}).flatMap(([key, bindings]) => {
    const [port, protocol] = key.split("/");
    return bindings.map(({ HostPort }) => ({
      Protocol: protocol as "tcp",
      TargetPort: Number(port),
      PublishedPort: Number(HostPort),
      PublishMode: "host" as const,
    }));
  });
}
