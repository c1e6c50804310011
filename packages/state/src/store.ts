/**
 * Store: the replicated objects and how the log changes them.
 *
 * Applies proposals that hold (refusal.ts says which); the same log gives the same objects on every
 * peer. Does not decide what ought to change (orchestrator, scheduler) nor whether a spec makes sense
 * (service-spec.ts).
 *
 * Apply is total: a proposal that throws on its way is refused as any other, with nothing of it left behind,
 * because an entry that ended one peer would end all of them, again after each start. What was thrown is
 * returned, to be told.
 */
import {
  assert,
  encode,
  type NetworkId,
  type NodeId,
  type ProposalId,
  type ServiceId,
  type TaskId,
  unreachable,
} from "@gam/core";
import type { Change, Outcome, Proposal, Refusal } from "./change.ts";
import type { Cluster } from "./cluster.ts";
import { dialectOfProposal, firstDialect, refusalOfDialect } from "./dialect.ts";
import type { Dump } from "./dump.ts";
import { schema } from "./dump-schema.ts";
import { hostOf } from "./host-of.ts";
import { claimed } from "./member-claims.ts";
import type { Network } from "./network.ts";
import { networkAfter, networkWithout } from "./network-change.ts";
import type { Node } from "./node.ts";
import { refusalOf, takenPort } from "./refusal.ts";
import { nodesWithoutNextRoot, withNextRoot } from "./root-rotation.ts";
import type { Service, ServiceSpec } from "./service.ts";
import { Index, Table } from "./table.ts";
import {
  compareStates,
  isTerminal,
  isWaiting,
  isWanted,
  type Task,
  type TaskStatus,
} from "./task.ts";
import { sameTemplate } from "./template.ts";
import type { Event, View } from "./view.ts";

/** Outcomes remembered, so that a proposal that comes twice is applied once. A retry gives up long before. */
const outcomesMax = 8192;
/** The same words on every peer, whatever was thrown. */
const unapplied: Refusal = {
  code: "REFUSED",
  message: "the change cannot be applied to the state as it is",
};

type Of<Kind extends Change["kind"]> = Extract<Change, { readonly kind: Kind }>;

/** What the changes of one entry share. */
interface Occasion {
  /** RFC 3339; the same moment as `atMs`. */
  readonly at: string;
  readonly atMs: number;
  /** What happened, in order. */
  readonly events: Event[];
}

export interface Applied {
  readonly outcome: Outcome;
  readonly events: Event[];
  readonly thrown?: unknown;
}

/** What takes the place of a service's spec. */
interface Successor {
  readonly spec: ServiceSpec;
  /** What it may be rolled back to. */
  readonly previous: ServiceSpec | undefined;
  readonly registryAuth: string;
  /** Why it is a rollback, if it is one. */
  readonly rollback: string | undefined;
}

export class Store implements View {
  #index = 0;
  #dialect = firstDialect;
  #cluster: Cluster | undefined;
  readonly #nodes = new Table<NodeId, Node>();
  readonly #services = new Table<ServiceId, Service>();
  readonly #tasks = new Table<TaskId, Task>();
  readonly #tasksOf = new Index<ServiceId, TaskId, Task>();
  readonly #tasksOn = new Index<NodeId, TaskId, Task>(true);
  readonly #tasksWaiting = new Table<TaskId, Task>();
  readonly #networks = new Table<NetworkId, Network>();
  readonly #removed = new Table<NodeId, NodeId>();
  readonly #outcomes = new Map<ProposalId, Outcome>();
  /** What a proposal changes. The lists of tasks follow from these. */
  readonly #all: readonly Table<string, unknown>[] = [
    this.#nodes,
    this.#services,
    this.#tasks,
    this.#networks,
    this.#removed,
  ];

  get index(): number {
    return this.#index;
  }
  get dialect(): number {
    return this.#dialect;
  }
  get cluster(): Cluster | undefined {
    return this.#cluster;
  }
  nodes = (): readonly Node[] => this.#nodes.all();
  node = (id: NodeId): Node | undefined => this.#nodes.get(id);
  services = (): readonly Service[] => this.#services.all();
  service = (id: ServiceId): Service | undefined => this.#services.get(id);
  tasks = (): readonly Task[] => this.#tasks.all();
  task = (id: TaskId): Task | undefined => this.#tasks.get(id);
  tasksOf = (id: ServiceId): readonly Task[] => this.#tasksOf.of(id);
  tasksOn = (id: NodeId): readonly Task[] => this.#tasksOn.of(id);
  tasksWaiting = (): readonly Task[] => this.#tasksWaiting.all();
  networks = (): readonly Network[] => this.#networks.all();
  network = (id: NetworkId): Network | undefined => this.#networks.get(id);
  isRemoved = (id: NodeId): boolean => this.#removed.has(id);

  /** What became of a proposal, if it was applied not too long ago. */
  outcomeOf(id: ProposalId): Outcome | undefined {
    return this.#outcomes.get(id);
  }

  /** Entries without a proposal (a new leader's, a change of voters) move the index as well. */
  skip(index: number): void {
    assert(index > this.#index, "entries are applied in order");
    this.#index = index;
  }

  /**
   * Applies one committed entry. Events are in the order in which things happened. `thrown` is what kept it
   * from being applied where that was no refusal.
   */
  apply(index: number, proposal: Proposal): Applied {
    assert(index > this.#index, "entries are applied in order");
    this.#index = index;
    const known = this.#outcomes.get(proposal.id);
    if (known !== undefined) return { outcome: known, events: [] };
    const needed = dialectOfProposal(proposal);
    const unread = refusalOfDialect(this, needed);
    const { refusal, events, thrown } = unread
      ? { refusal: unread, events: [] }
      : this.#attempt(proposal);
    if (refusal === undefined) this.#dialect = Math.max(this.#dialect, needed);
    const outcome: Outcome =
      refusal === undefined ? { kind: "applied", index } : { kind: "refused", ...refusal };
    this.#outcomes.set(proposal.id, outcome);
    if (this.#outcomes.size > outcomesMax) {
      for (const oldest of this.#outcomes.keys()) {
        this.#outcomes.delete(oldest);
        break;
      }
    }
    return { outcome, events, ...(thrown !== undefined && { thrown }) };
  }

  /** All of its changes, or none. Each is judged by the state that those before it have made. */
  #attempt({ atMs, changes }: Proposal): {
    readonly refusal?: Refusal;
    readonly events: Event[];
    readonly thrown?: unknown;
  } {
    const cluster = this.#cluster;
    for (const table of this.#all) table.begin();
    let refusal: Refusal | undefined;
    let thrown: unknown;
    const events: Event[] = [];
    try {
      const occasion: Occasion = { at: new Date(atMs).toISOString(), atMs, events };
      for (const change of changes) {
        refusal = refusalOf(this, change);
        if (refusal !== undefined) break;
        this.#change(change, occasion);
      }
    } catch (caught) {
      thrown = caught ?? new Error("nothing was said");
      refusal = unapplied;
    }
    if (refusal === undefined) {
      for (const table of this.#all) table.commit();
      return { events };
    }
    for (const table of this.#all) table.rollBack();
    this.#cluster = cluster;
    if (events.length > 0 || thrown !== undefined) this.#indexTasks();
    return { refusal, events: [], thrown };
  }

  /** Bytes from which restore() makes the same store again. */
  dump(): Uint8Array {
    const dump: Dump = {
      schema,
      index: this.#index,
      dialect: this.#dialect,
      cluster: this.#cluster,
      nodes: this.nodes(),
      services: this.services(),
      tasks: this.tasks(),
      networks: this.networks(),
      removed: this.#removed.all(),
      outcomes: [...this.#outcomes],
    };
    return encode(dump);
  }

  /** Forgets everything and takes what a snapshot holds. Returns what has changed by that, table by table. */
  restore(dump: Dump): Event[] {
    const cluster = this.#cluster;
    const before = [this.nodes(), this.services(), this.tasks(), this.networks()] as const;
    this.#nodes.clear();
    this.#services.clear();
    this.#tasks.clear();
    this.#networks.clear();
    this.#removed.clear();
    this.#outcomes.clear();
    this.#index = dump.index;
    this.#dialect = dump.dialect;
    this.#cluster = dump.cluster;
    for (const node of dump.nodes) this.#nodes.put(node.ID, node);
    for (const service of dump.services) this.#services.put(service.ID, service);
    for (const task of dump.tasks) this.#tasks.put(task.ID, task);
    this.#indexTasks();
    for (const network of dump.networks) this.#networks.put(network.Id, network);
    for (const id of dump.removed) this.#removed.put(id, id);
    for (const [id, outcome] of dump.outcomes) this.#outcomes.set(id, outcome);
    const [nodes, services, tasks, networks] = before;
    return [
      ...differences([cluster ?? []].flat(), [dump.cluster ?? []].flat(), () => "").map(
        (one): Event => ({ table: "cluster", ...one }),
      ),
      ...differences(nodes, this.nodes(), ({ ID }) => ID).map(
        (one): Event => ({ table: "node", ...one }),
      ),
      ...differences(services, this.services(), ({ ID }) => ID).map(
        (one): Event => ({ table: "service", ...one }),
      ),
      ...differences(tasks, this.tasks(), ({ ID }) => ID).map(
        (one): Event => ({ table: "task", ...one }),
      ),
      ...differences(networks, this.networks(), ({ Id }) => Id).map(
        (one): Event => ({ table: "network", ...one }),
      ),
    ];
  }

  #change(change: Change, occasion: Occasion): void {
    switch (change.kind) {
      case "createCluster":
      case "updateCluster":
      case "rotateTokens":
      case "rotateRoot":
      case "endRootRotation":
        return this.#changeCluster(change, occasion);
      case "joinNode":
        return this.#joinNode(change, occasion);
      case "updateNode":
      case "describeNode":
      case "judgeNode":
      case "removeNode":
      case "setTunnel":
        return this.#changeNode(change, occasion);
      case "createService":
        return this.#createService(change, occasion);
      case "updateService":
      case "rollbackService":
      case "removeService":
      case "progressUpdate":
      case "setEndpoint":
        return this.#changeService(change, occasion);
      case "createNetwork":
        return this.#createNetwork(change, occasion);
      case "removeNetwork":
        return this.#removeNetwork(change, occasion);
      case "allocateNetwork":
      case "setGateways":
      case "attachContainer":
      case "detachContainer":
      case "setAttachment":
      case "refuseAttachment":
        return this.#changeNetwork(change, occasion);
      case "createTask":
        return this.#createTask(change, occasion);
      case "assignTask":
      case "attachTask":
      case "explainTask":
      case "desireTask":
      case "reportTask":
      case "orphanTask":
      case "removeTask":
        return this.#changeTask(change, occasion);
      default:
        unreachable(change);
    }
  }

  #changeCluster(
    change: Of<
      "createCluster" | "updateCluster" | "rotateTokens" | "rotateRoot" | "endRootRotation"
    >,
    { at, events }: Occasion,
  ): void {
    if (change.kind === "createCluster") {
      return this.#putCluster({ ...change.cluster, ...this.#born(at) }, events);
    }
    const cluster = this.#cluster;
    if (cluster === undefined) return;
    const moved = { ...cluster, ...this.#moved(at) };
    switch (change.kind) {
      case "updateCluster":
        return this.#putCluster({ ...moved, Spec: change.spec }, events);
      case "rotateTokens": {
        const { Worker, Manager } = cluster.Tokens;
        const Tokens = { Worker: change.worker ?? Worker, Manager: change.manager ?? Manager };
        return this.#putCluster({ ...moved, Tokens }, events);
      }
      case "rotateRoot":
        return this.#putCluster({ ...moved, NextRoot: change.next, Tokens: change.tokens }, events);
      case "endRootRotation": {
        if (cluster.NextRoot?.PublicKey !== change.publicKey) return;
        if (nodesWithoutNextRoot(this).length > 0) return;
        return this.#putCluster(withNextRoot(moved, change.publicKey), events);
      }
      default:
        unreachable(change);
    }
  }

  #joinNode({ node }: Of<"joinNode">, { at, events }: Occasion): void {
    const known = this.#nodes.get(node.ID);
    this.#removed.delete(node.ID);
    const meta = known === undefined ? this.#born(at) : this.#moved(at);
    const Spec = known === undefined ? node.Spec : known.Spec;
    this.#putClaims({ CreatedAt: at, ...known, ...node, ...meta, Spec }, at, events);
  }

  #changeNode(
    change: Of<"updateNode" | "describeNode" | "judgeNode" | "removeNode" | "setTunnel">,
    { at, atMs, events }: Occasion,
  ): void {
    const node = this.#nodes.get(change.id);
    if (node === undefined) return;
    switch (change.kind) {
      case "updateNode":
        return this.#putNode({ ...node, ...this.#moved(at), Spec: change.spec }, events);
      case "describeNode": {
        const { description: Description, addresses, engine, network, root, dialect } = change;
        const engineLostAtMs = engine.ready ? 0 : node.Gam.engineLostAtMs;
        const spoken = dialect === undefined ? {} : { dialect };
        const said = { addresses, engine, network, ...(root !== undefined && { root }), ...spoken };
        const Gam = { ...node.Gam, ...said, engineLostAtMs };
        const Status = { ...node.Status, Addr: hostOf(addresses[0] ?? node.Status.Addr) };
        return this.#putClaims({ ...node, UpdatedAt: at, Description, Gam, Status }, at, events);
      }
      case "judgeNode": {
        const Status = { ...change.status, Addr: node.Status.Addr };
        // What a lost node said before is not true any more: it has to say it again.
        const engine =
          Status.State === "down"
            ? { ready: false, reason: Status.Message ?? "" }
            : node.Gam.engine;
        // Taken here and not from the node's own report: the judge compares it with its own clock.
        const engineLostAtMs = engine.ready ? 0 : node.Gam.engineLostAtMs || atMs;
        const Gam = { ...node.Gam, engine, engineLostAtMs };
        return this.#putNode({ ...node, UpdatedAt: at, Status, Gam }, events);
      }
      case "setTunnel": {
        if (this.nodes().some(({ Gam }) => Gam.tunnel === change.address)) return;
        const Gam = { ...node.Gam, tunnel: change.address };
        return this.#putNode({ ...node, UpdatedAt: at, Gam }, events);
      }
      case "removeNode":
        this.#nodes.delete(change.id);
        this.#removed.put(change.id, change.id);
        events.push({ table: "node", before: node });
        for (const network of this.networks()) {
          const after = networkWithout(network, change.id);
          if (after !== undefined) this.#moveNetwork(network, after, events);
        }
        return;
      default:
        unreachable(change);
    }
  }

  #createService({ id, spec, registryAuth }: Of<"createService">, { at, events }: Occasion): void {
    const templateVersion = this.#index;
    const service: Service = {
      ...this.#born(at),
      ID: id,
      Spec: spec,
      Endpoint: { Spec: spec.EndpointSpec ?? {} },
      ...jobStatus(spec, undefined, at),
      Gam: { registryAuth, registryAuthPrevious: "", templateVersion, waveAtMs: 0, updated: [] },
    };
    this.#putService(service, events);
  }

  #changeService(
    change: Of<
      "updateService" | "rollbackService" | "removeService" | "progressUpdate" | "setEndpoint"
    >,
    occasion: Occasion,
  ): void {
    const service = this.#services.get(change.id);
    if (service === undefined) return;
    const { at, events } = occasion;
    switch (change.kind) {
      case "updateService": {
        const { spec, previous, registryAuth } = change;
        const rollback = change.rollback ? "manually requested rollback" : undefined;
        return this.#replaceSpec(service, { spec, previous, registryAuth, rollback }, occasion);
      }
      case "rollbackService": {
        const spec = service.PreviousSpec;
        if (spec === undefined) return;
        if (service.Gam.templateVersion !== change.templateVersion) return;
        const registryAuth = service.Gam.registryAuthPrevious;
        const rollback = change.message;
        return this.#replaceSpec(
          service,
          { spec, previous: undefined, registryAuth, rollback },
          occasion,
        );
      }
      case "removeService":
        this.#services.delete(change.id);
        events.push({ table: "service", before: service });
        return;
      case "progressUpdate": {
        if (service.Gam.templateVersion !== change.templateVersion) return;
        const { UpdateStatus: _, ...rest } = service;
        const Gam = { ...service.Gam, waveAtMs: change.waveAtMs, updated: change.updated };
        const status = change.status === undefined ? {} : { UpdateStatus: change.status };
        return this.#putService({ ...rest, ...status, UpdatedAt: at, Gam }, events);
      }
      case "setEndpoint":
        if (takenPort(this, service.ID, change.endpoint.Ports) !== undefined) return;
        return this.#putService(
          {
            ...service,
            UpdatedAt: at,
            // Somebody may have asked for another since this was planned.
            Endpoint: { ...change.endpoint, Spec: service.Spec.EndpointSpec ?? {} },
          },
          events,
        );
      default:
        unreachable(change);
    }
  }

  #replaceSpec(service: Service, successor: Successor, { at, events }: Occasion): void {
    const { UpdateStatus: _, PreviousSpec: __, ...rest } = service;
    const { spec, previous, registryAuth, rollback } = successor;
    const changed = !sameTemplate(service.Spec, spec);
    const after: Service = {
      ...rest,
      ...this.#moved(at),
      ...(rollback !== undefined && {
        UpdateStatus: { State: "rollback_started", StartedAt: at, Message: rollback },
      }),
      ...(previous && { PreviousSpec: previous }),
      ...(changed && jobStatus(spec, service, at)),
      Spec: spec,
      Endpoint: { ...service.Endpoint, Spec: spec.EndpointSpec ?? {} },
      Gam: {
        registryAuth,
        registryAuthPrevious: service.Gam.registryAuth,
        templateVersion: changed ? this.#index : service.Gam.templateVersion,
        waveAtMs: 0,
        updated: [],
      },
    };
    this.#putService(after, events);
  }

  #createNetwork({ network }: Of<"createNetwork">, { at, events }: Occasion): void {
    const after = { ...network, Version: { Index: this.#index }, Created: at };
    this.#networks.put(after.Id, after);
    events.push({ table: "network", after });
  }

  #removeNetwork({ id }: Of<"removeNetwork">, { events }: Occasion): void {
    const before = this.#networks.get(id);
    if (before === undefined) return;
    this.#networks.delete(id);
    events.push({ table: "network", before });
  }

  #changeNetwork(
    change: Of<
      | "allocateNetwork"
      | "setGateways"
      | "attachContainer"
      | "detachContainer"
      | "setAttachment"
      | "refuseAttachment"
    >,
    { events }: Occasion,
  ): void {
    const id = "id" in change ? change.id : change.network;
    const before = this.#networks.get(id);
    if (before === undefined) return;
    const after = networkAfter(before, change, this);
    if (after !== undefined) this.#moveNetwork(before, after, events);
  }

  #moveNetwork(before: Network, after: Network, events: Event[]): void {
    this.#networks.put(after.Id, after);
    events.push({ table: "network", before, after });
  }

  #createTask({ task }: Of<"createTask">, { at, events }: Occasion): void {
    // The service may have been removed since the leader planned this.
    if (this.#services.get(task.ServiceID) === undefined) return;
    if (this.#tasks.get(task.ID) !== undefined) return;
    this.#moveTask({ ...task, ...this.#born(at) }, events);
  }

  #changeTask(
    change: Of<
      | "assignTask"
      | "attachTask"
      | "explainTask"
      | "desireTask"
      | "reportTask"
      | "orphanTask"
      | "removeTask"
    >,
    { at, atMs, events }: Occasion,
  ): void {
    const task = this.#tasks.get(change.id);
    if (task === undefined) return;
    const moved = { ...task, ...this.#moved(at) };
    switch (change.kind) {
      case "assignTask": {
        const { node, status } = change;
        if ((task.NodeID ?? node) !== node || this.#nodes.get(node) === undefined) return;
        if (compareStates(task.Status.State, "assigned") >= 0 || !isWanted(task)) return;
        return this.#moveTask({ ...moved, NodeID: node, Status: status }, events);
      }
      case "attachTask": {
        // Global tasks have their node from the start, and wait for it to be given to them.
        const isAssigned = compareStates(task.Status.State, "assigned") >= 0;
        if (isAssigned && (change.attachments.length > 0 || !this.#isForsaken(task))) return;
        const Gam = { ...task.Gam, attachments: change.attachments };
        return this.#moveTask({ ...moved, Gam }, events);
      }
      case "explainTask":
        if (compareStates(task.Status.State, "pending") > 0) return;
        return this.#moveTask({ ...moved, Status: change.status }, events);
      case "desireTask":
        if (compareStates(change.desired, task.DesiredState) <= 0) return;
        return this.#moveTask({ ...moved, DesiredState: change.desired }, events);
      case "reportTask":
      case "orphanTask": {
        const Status = mergeStatus(task.Status, change.status);
        if (Status === task.Status) return;
        const starts = Status.State === "running" && task.Status.State !== "running";
        const startedAtMs = Date.parse(Status.Timestamp) || atMs;
        const Gam = starts ? { ...task.Gam, startedAtMs } : task.Gam;
        return this.#moveTask({ ...moved, Status, Gam }, events);
      }
      case "removeTask":
        this.#tasks.delete(task.ID);
        this.#tasksOf.delete(task.ServiceID, task.ID);
        this.#tasksWaiting.delete(task.ID);
        if (task.NodeID !== undefined) this.#tasksOn.delete(task.NodeID, task.ID);
        events.push({ table: "task", before: task });
        return;
      default:
        unreachable(change);
    }
  }

  /** Nobody wants it to run, and nobody who could hear that is there. */
  #isForsaken(task: Task): boolean {
    const node = task.NodeID === undefined ? undefined : this.#nodes.get(task.NodeID);
    return !isWanted(task) && (node === undefined || node.Status.State === "down");
  }

  #born(at: string): { Version: { Index: number }; CreatedAt: string; UpdatedAt: string } {
    return { Version: { Index: this.#index }, CreatedAt: at, UpdatedAt: at };
  }

  #moved(at: string): { Version: { Index: number }; UpdatedAt: string } {
    return { Version: { Index: this.#index }, UpdatedAt: at };
  }

  #putCluster(after: Cluster, events: Event[]): void {
    const before = this.#cluster;
    this.#cluster = after;
    events.push({ table: "cluster", ...(before && { before }), after });
  }

  #putNode(after: Node, events: Event[]): void {
    const before = this.#nodes.get(after.ID);
    this.#nodes.put(after.ID, after);
    events.push({ table: "node", ...(before && { before }), after });
  }

  /** A node with what it says of its addresses and keys, which are one member's only. */
  #putClaims(node: Node, at: string, events: Event[]): void {
    for (const one of claimed(node, this.nodes())) {
      this.#putNode(one.ID === node.ID ? one : { ...one, UpdatedAt: at }, events);
    }
  }

  #putService(after: Service, events: Event[]): void {
    const before = this.#services.get(after.ID);
    this.#services.put(after.ID, after);
    events.push({ table: "service", ...(before && { before }), after });
  }

  #moveTask(after: Task, events: Event[]): void {
    const before = this.#tasks.get(after.ID);
    this.#putTask(after);
    events.push({ table: "task", ...(before && { before }), after });
  }

  #indexTasks(): void {
    this.#tasksOf.clear();
    this.#tasksOn.clear();
    this.#tasksWaiting.clear();
    for (const task of this.tasks()) this.#indexTask(task);
  }

  #putTask(task: Task): void {
    this.#tasks.put(task.ID, task);
    this.#indexTask(task);
  }

  #indexTask(task: Task): void {
    this.#tasksOf.put(task.ServiceID, task.ID, task);
    if (task.NodeID !== undefined) this.#tasksOn.put(task.NodeID, task.ID, task);
    if (isWaiting(task)) this.#tasksWaiting.put(task.ID, task);
    else this.#tasksWaiting.delete(task.ID);
  }
}

/** What is gone, new, or another than it was. */
function differences<Row>(
  before: readonly Row[],
  after: readonly Row[],
  idOf: (row: Row) => string,
): { before?: Row; after?: Row }[] {
  const old = new Map(before.map((row) => [idOf(row), row]));
  const found: { before?: Row; after?: Row }[] = [];
  for (const row of after) {
    const known = old.get(idOf(row));
    old.delete(idOf(row));
    if (known === undefined) found.push({ after: row });
    else if (JSON.stringify(known) !== JSON.stringify(row))
      found.push({ before: known, after: row });
  }
  return [...[...old.values()].map((row) => ({ before: row })), ...found];
}

/** The later of two observations of one task; the old one itself when the new one tells nothing. */
export function mergeStatus(old: TaskStatus, next: TaskStatus): TaskStatus {
  if (isTerminal(old.State) && old.State !== next.State) {
    // An end is final, except for a lost task whose node came back and told how it really ended.
    return old.State === "orphaned" && isTerminal(next.State) ? next : old;
  }
  if (compareStates(next.State, old.State) < 0) return old;
  if (next.State === old.State && next.Message === old.Message && next.Err === old.Err) {
    const same =
      JSON.stringify([next.ContainerStatus, next.PortStatus]) ===
      JSON.stringify([old.ContainerStatus, old.PortStatus]);
    if (same) return old;
  }
  return next;
}

function jobStatus(
  spec: ServiceSpec,
  service: Service | undefined,
  at: string,
): Pick<Service, "JobStatus"> {
  if (spec.Mode.ReplicatedJob === undefined && spec.Mode.GlobalJob === undefined) return {};
  const Index = service === undefined ? 0 : (service.JobStatus?.JobIteration.Index ?? 0) + 1;
  return { JobStatus: { JobIteration: Index === 0 ? {} : { Index }, LastExecution: at } };
}
