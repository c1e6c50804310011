/**
 * Store: the replicated objects and how the log changes them.
 *
 * Decides whether a proposal holds and applies it; the same log gives the same objects on every peer.
 * Does not decide what ought to change (orchestrator, scheduler) nor whether a spec makes sense
 * (service-spec.ts): it refuses only what would break its own promises, which are unique names, unique
 * published ports, objects in use that stay, and versions that writers have seen.
 */
import {
  assert,
  decode,
  encode,
  type NetworkId,
  type NodeId,
  type ProposalId,
  type ServiceId,
  type TaskId,
  unreachable,
} from "@gam/core";
import type { Change, Outcome, Proposal, RefusalCode } from "./change.ts";
import type { Cluster } from "./cluster.ts";
import type { Network } from "./network.ts";
import type { Node } from "./node.ts";
import { ingressPorts } from "./ports.ts";
import type { PortConfig, Service, ServiceSpec } from "./service.ts";
import { Index, Table } from "./table.ts";
import { compareStates, isTerminal, isWanted, type Task, type TaskStatus } from "./task.ts";
import { sameTemplate } from "./template.ts";
import type { Event, View } from "./view.ts";

/** Outcomes remembered, so that a proposal that comes twice is applied once. A retry gives up long before. */
const outcomesMax = 8192;
const schema = 1;

interface Dump {
  readonly schema: number;
  readonly index: number;
  readonly cluster: Cluster | undefined;
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  readonly tasks: readonly Task[];
  readonly networks: readonly Network[];
  readonly removed: readonly NodeId[];
  readonly outcomes: readonly [ProposalId, Outcome][];
}

interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

export class Store implements View {
  #index = 0;
  #cluster: Cluster | undefined;
  readonly #nodes = new Table<NodeId, Node>();
  readonly #services = new Table<ServiceId, Service>();
  readonly #tasks = new Table<TaskId, Task>();
  readonly #tasksOf = new Index<ServiceId, TaskId, Task>();
  readonly #tasksOn = new Index<NodeId, TaskId, Task>(true);
  readonly #networks = new Table<NetworkId, Network>();
  readonly #removed = new Set<NodeId>();
  readonly #outcomes = new Map<ProposalId, Outcome>();

  get index(): number {
    return this.#index;
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

  /** Applies one committed entry. Events are in the order in which things happened. */
  apply(index: number, proposal: Proposal): { outcome: Outcome; events: Event[] } {
    assert(index > this.#index, "entries are applied in order");
    this.#index = index;
    const known = this.#outcomes.get(proposal.id);
    if (known !== undefined) return { outcome: known, events: [] };
    const refusal = this.#refusalOf(proposal.changes);
    const events: Event[] = [];
    if (refusal === undefined) {
      const at = new Date(proposal.atMs).toISOString();
      for (const change of proposal.changes) this.#change(change, at, proposal.atMs, events);
    }
    const outcome: Outcome =
      refusal === undefined ? { kind: "applied", index } : { kind: "refused", ...refusal };
    this.#outcomes.set(proposal.id, outcome);
    if (this.#outcomes.size > outcomesMax) {
      for (const oldest of this.#outcomes.keys()) {
        this.#outcomes.delete(oldest);
        break;
      }
    }
    return { outcome, events };
  }

  /** Bytes from which restore() makes the same store again. */
  dump(): Uint8Array {
    const dump: Dump = {
      schema,
      index: this.#index,
      cluster: this.#cluster,
      nodes: this.nodes(),
      services: this.services(),
      tasks: this.tasks(),
      networks: this.networks(),
      removed: [...this.#removed],
      outcomes: [...this.#outcomes],
    };
    return encode(dump);
  }

  /** Forgets everything and takes what the snapshot holds. The bytes come from a peer's dump(). */
  restore(bytes: Uint8Array): void {
    const dump = decode(bytes) as Dump;
    assert(dump.schema === schema, `snapshot schema is ${schema}`);
    this.#nodes.clear();
    this.#services.clear();
    this.#tasks.clear();
    this.#tasksOf.clear();
    this.#tasksOn.clear();
    this.#networks.clear();
    this.#removed.clear();
    this.#outcomes.clear();
    this.#index = dump.index;
    this.#cluster = dump.cluster;
    for (const node of dump.nodes) this.#nodes.put(node.ID, node);
    for (const service of dump.services) this.#services.put(service.ID, service);
    for (const task of dump.tasks) this.#putTask(task);
    for (const network of dump.networks) this.#networks.put(network.Id, network);
    for (const id of dump.removed) this.#removed.add(id);
    for (const [id, outcome] of dump.outcomes) this.#outcomes.set(id, outcome);
  }

  /** Judged against the state before the proposal: no proposal holds two changes of one object. */
  #refusalOf(changes: readonly Change[]): Refusal | undefined {
    for (const change of changes) {
      const refusal = this.#refusal(change);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #refusal(change: Change): Refusal | undefined {
    switch (change.kind) {
      case "createCluster":
        return this.#cluster === undefined
          ? undefined
          : { code: "IN_USE", message: "there is a cluster already" };
      case "updateCluster":
        return stale(this.#cluster, change.basedOn, "cluster");
      case "updateNode":
        return stale(this.#nodes.get(change.id), change.basedOn, `node ${change.id}`);
      case "removeNode":
        return found(this.#nodes.get(change.id), `node ${change.id}`);
      case "createService":
        return (
          this.#nameRefusal(change.spec.Name) ??
          this.#portRefusal(change.id, change.spec.EndpointSpec?.Ports)
        );
      case "updateService":
        return (
          stale(this.#services.get(change.id), change.basedOn, `service ${change.id}`) ??
          this.#portRefusal(change.id, change.spec.EndpointSpec?.Ports)
        );
      case "removeService":
        return found(this.#services.get(change.id), `service ${change.id}`);
      case "createNetwork":
        return this.networks().some((network) => network.Name === change.network.Name)
          ? {
              code: "NAME_IN_USE",
              message: `network with name ${change.network.Name} already exists`,
            }
          : undefined;
      case "removeNetwork":
        return this.#networkRefusal(change.id);
      default:
        return undefined;
    }
  }

  #nameRefusal(name: string): Refusal | undefined {
    if (!this.services().some((service) => service.Spec.Name === name)) return undefined;
    const message = `name conflicts with an existing object: service ${name} already exists`;
    return { code: "NAME_IN_USE", message };
  }

  #portRefusal(id: ServiceId, ports: readonly PortConfig[] | undefined): Refusal | undefined {
    for (const port of ingressPorts({ Ports: ports ?? [] })) {
      if (!port.PublishedPort) continue;
      const protocol = port.Protocol ?? "tcp";
      const holder = this.services().find(
        (service) =>
          service.ID !== id &&
          [...(service.Endpoint.Ports ?? []), ...ingressPorts(service.Spec.EndpointSpec)].some(
            (held) =>
              held.PublishMode !== "host" &&
              held.PublishedPort === port.PublishedPort &&
              (held.Protocol ?? "tcp") === protocol,
          ),
      );
      if (holder === undefined) continue;
      const message = `port '${port.PublishedPort}' is already in use by service '${holder.Spec.Name}' (${holder.ID}) as an ingress port`;
      return { code: "BAD_REQUEST", message };
    }
    return undefined;
  }

  #networkRefusal(id: NetworkId): Refusal | undefined {
    const network = this.#networks.get(id);
    if (network === undefined) return { code: "NOT_FOUND", message: `network ${id} not found` };
    const user = this.services().find((service) =>
      [...(service.Spec.TaskTemplate.Networks ?? []), ...(service.Spec.Networks ?? [])].some(
        (target) => target.Target === id || target.Target === network.Name,
      ),
    );
    if (user === undefined) return undefined;
    return { code: "IN_USE", message: `network ${network.Id} is in use by service ${user.ID}` };
  }

  #change(change: Change, at: string, atMs: number, events: Event[]): void {
    switch (change.kind) {
      case "createCluster":
        return this.#putCluster({ ...change.cluster, ...this.#born(at) }, events);
      case "updateCluster":
        if (this.#cluster === undefined) return;
        return this.#putCluster(
          { ...this.#cluster, ...this.#moved(at), Spec: change.spec },
          events,
        );
      case "rotateSecrets": {
        if (this.#cluster === undefined) return;
        const { Worker, Manager } = this.#cluster.Secrets;
        const Secrets = { Worker: change.worker ?? Worker, Manager: change.manager ?? Manager };
        return this.#putCluster({ ...this.#cluster, ...this.#moved(at), Secrets }, events);
      }
      case "joinNode": {
        const known = this.#nodes.get(change.node.ID);
        this.#removed.delete(change.node.ID);
        const meta = known === undefined ? this.#born(at) : { ...this.#moved(at) };
        const Spec = known === undefined ? change.node.Spec : known.Spec;
        return this.#putNode({ CreatedAt: at, ...known, ...change.node, ...meta, Spec }, events);
      }
      case "updateNode": {
        const node = this.#nodes.get(change.id);
        if (node === undefined) return;
        return this.#putNode({ ...node, ...this.#moved(at), Spec: change.spec }, events);
      }
      case "describeNode": {
        const node = this.#nodes.get(change.id);
        if (node === undefined) return;
        return this.#putNode(
          {
            ...node,
            UpdatedAt: at,
            Description: change.description,
            Gam: {
              ...node.Gam,
              addresses: change.addresses,
              engine: change.engine,
              engineLostAtMs: change.engine.ready ? 0 : node.Gam.engineLostAtMs,
            },
            Status: { ...node.Status, Addr: hostOf(change.addresses[0] ?? node.Status.Addr) },
          },
          events,
        );
      }
      case "judgeNode": {
        const node = this.#nodes.get(change.id);
        if (node === undefined) return;
        const Status = { ...change.status, Addr: node.Status.Addr };
        // Taken here and not from the node's own report: the judge compares it with its own clock.
        const engineLostAtMs = node.Gam.engine.ready ? 0 : node.Gam.engineLostAtMs || atMs;
        const Gam = { ...node.Gam, engineLostAtMs };
        return this.#putNode({ ...node, UpdatedAt: at, Status, Gam }, events);
      }
      case "removeNode": {
        const before = this.#nodes.get(change.id);
        if (before === undefined) return;
        this.#nodes.delete(change.id);
        this.#removed.add(change.id);
        events.push({ table: "node", before });
        return;
      }
      case "createService": {
        const { id, spec, registryAuth } = change;
        return this.#putService(
          {
            ...this.#born(at),
            ID: id,
            Spec: spec,
            Endpoint: { Spec: spec.EndpointSpec ?? {} },
            ...jobStatus(spec, undefined, at),
            Gam: {
              registryAuth,
              registryAuthPrevious: "",
              templateVersion: this.#index,
              waveAtMs: 0,
              updated: [],
            },
          },
          events,
        );
      }
      case "updateService": {
        const service = this.#services.get(change.id);
        if (service === undefined) return;
        const message = change.rollback ? "manually requested rollback" : undefined;
        return this.#replaceSpec(service, change.spec, change.previous, at, message, events, {
          registryAuth: change.registryAuth,
        });
      }
      case "rollbackService": {
        const service = this.#services.get(change.id);
        if (service === undefined || service.PreviousSpec === undefined) return;
        if (service.Gam.templateVersion !== change.templateVersion) return;
        return this.#replaceSpec(
          service,
          service.PreviousSpec,
          undefined,
          at,
          change.message,
          events,
          { registryAuth: service.Gam.registryAuthPrevious },
        );
      }
      case "removeService": {
        const before = this.#services.get(change.id);
        if (before === undefined) return;
        this.#services.delete(change.id);
        events.push({ table: "service", before });
        return;
      }
      case "progressUpdate": {
        const service = this.#services.get(change.id);
        if (service === undefined) return;
        if (service.Gam.templateVersion !== change.templateVersion) return;
        const { UpdateStatus: _, ...rest } = service;
        const Gam = { ...service.Gam, waveAtMs: change.waveAtMs, updated: change.updated };
        const status = change.status === undefined ? {} : { UpdateStatus: change.status };
        return this.#putService({ ...rest, ...status, UpdatedAt: at, Gam }, events);
      }
      case "setEndpoint": {
        const service = this.#services.get(change.id);
        if (service === undefined) return;
        if (this.#portRefusal(service.ID, change.endpoint.Ports) !== undefined) return;
        return this.#putService({ ...service, UpdatedAt: at, Endpoint: change.endpoint }, events);
      }
      case "createNetwork": {
        const network = { ...change.network, Version: { Index: this.#index }, Created: at };
        this.#networks.put(network.Id, network);
        events.push({ table: "network", after: network });
        return;
      }
      case "removeNetwork": {
        const before = this.#networks.get(change.id);
        if (before === undefined) return;
        this.#networks.delete(change.id);
        events.push({ table: "network", before });
        return;
      }
      case "createTask":
        // The service may have been removed since the leader planned this.
        if (this.#services.get(change.task.ServiceID) === undefined) return;
        if (this.#tasks.get(change.task.ID) !== undefined) return;
        return this.#taskEvent({ ...change.task, ...this.#born(at) }, events);
      case "assignTask": {
        const task = this.#tasks.get(change.id);
        if (task === undefined || (task.NodeID ?? change.node) !== change.node) return;
        if (compareStates(task.Status.State, "assigned") >= 0) return;
        if (!isWanted(task)) return;
        if (this.#nodes.get(change.node) === undefined) return;
        const moved = { ...task, NodeID: change.node, Status: change.status };
        return this.#taskEvent({ ...moved, ...this.#moved(at) }, events);
      }
      case "explainTask": {
        const task = this.#tasks.get(change.id);
        if (task === undefined || compareStates(task.Status.State, "pending") > 0) return;
        return this.#taskEvent({ ...task, ...this.#moved(at), Status: change.status }, events);
      }
      case "desireTask": {
        const task = this.#tasks.get(change.id);
        if (task === undefined || compareStates(change.desired, task.DesiredState) <= 0) return;
        const moved = { ...task, ...this.#moved(at), DesiredState: change.desired };
        return this.#taskEvent(moved, events);
      }
      case "reportTask":
      case "orphanTask": {
        const task = this.#tasks.get(change.id);
        if (task === undefined) return;
        const status = mergeStatus(task.Status, change.status);
        if (status === task.Status) return;
        const starts = status.State === "running" && task.Status.State !== "running";
        const Gam = starts
          ? { ...task.Gam, startedAtMs: Date.parse(status.Timestamp) || atMs }
          : task.Gam;
        return this.#taskEvent({ ...task, ...this.#moved(at), Status: status, Gam }, events);
      }
      case "removeTask": {
        const before = this.#tasks.get(change.id);
        if (before === undefined) return;
        this.#tasks.delete(before.ID);
        this.#tasksOf.delete(before.ServiceID, before.ID);
        if (before.NodeID !== undefined) this.#tasksOn.delete(before.NodeID, before.ID);
        events.push({ table: "task", before });
        return;
      }
      default:
        unreachable(change);
    }
  }

  #replaceSpec(
    service: Service,
    spec: ServiceSpec,
    previous: ServiceSpec | undefined,
    at: string,
    rollbackMessage: string | undefined,
    events: Event[],
    auth: { registryAuth: string },
  ): void {
    const { UpdateStatus: _, PreviousSpec: __, ...rest } = service;
    const changed = !sameTemplate(service.Spec, spec);
    const status =
      rollbackMessage === undefined
        ? {}
        : {
            UpdateStatus: {
              State: "rollback_started" as const,
              StartedAt: at,
              Message: rollbackMessage,
            },
          };
    this.#putService(
      {
        ...rest,
        ...this.#moved(at),
        ...status,
        ...(previous === undefined ? {} : { PreviousSpec: previous }),
        ...(changed ? jobStatus(spec, service, at) : {}),
        Spec: spec,
        Endpoint: { ...service.Endpoint, Spec: spec.EndpointSpec ?? {} },
        Gam: {
          registryAuth: auth.registryAuth,
          registryAuthPrevious: service.Gam.registryAuth,
          templateVersion: changed ? this.#index : service.Gam.templateVersion,
          waveAtMs: 0,
          updated: [],
        },
      },
      events,
    );
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

  #putService(after: Service, events: Event[]): void {
    const before = this.#services.get(after.ID);
    this.#services.put(after.ID, after);
    events.push({ table: "service", ...(before && { before }), after });
  }

  #taskEvent(after: Task, events: Event[]): void {
    const before = this.#tasks.get(after.ID);
    this.#putTask(after);
    events.push({ table: "task", ...(before && { before }), after });
  }

  #putTask(task: Task): void {
    this.#tasks.put(task.ID, task);
    this.#tasksOf.put(task.ServiceID, task.ID, task);
    if (task.NodeID !== undefined) this.#tasksOn.put(task.NodeID, task.ID, task);
  }
}

function stale(
  object: { readonly Version: { readonly Index: number } } | undefined,
  basedOn: number,
  name: string,
): Refusal | undefined {
  if (object === undefined) return { code: "NOT_FOUND", message: `${name} not found` };
  if (object.Version.Index === basedOn) return undefined;
  return { code: "STALE_VERSION", message: "update out of sequence" };
}

function found(object: unknown, name: string): Refusal | undefined {
  return object === undefined ? { code: "NOT_FOUND", message: `${name} not found` } : undefined;
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

/** The host of `host:port`, with or without the brackets of IPv6. */
export function hostOf(address: string): string {
  const at = address.lastIndexOf(":");
  const host = at > 0 && !address.endsWith("]") ? address.slice(0, at) : address;
  return host.startsWith("[") ? host.slice(1, host.endsWith("]") ? -1 : undefined) : host;
}
