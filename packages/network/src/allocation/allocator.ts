/**
 * Allocator: plans the leader's changes of addresses, as the state changes.
 *
 * Keeps an index of held addresses, and the set of objects to check in the next plan. A new leader rebuilds both
 * from the state. An event only says which object to check; what it holds is read from the view.
 *
 *   noticeAll()           once, by a new leader
 *   notice(event)         for each event of the store
 *   plan(view, …)         the changes to propose, after the orchestrator and before the scheduler
 *   withBridges(view, …)  adds bridges to the scheduler's placements, when plan() had no changes
 *
 * Propose a plan and wait until it was applied or lost before making the next one. Otherwise the same view would
 * give the same address twice.
 */
import type { NetworkId, NodeId, ServiceId, TaskId } from "@gam/core";
import {
  type Event,
  guarded,
  ingressOf,
  isWaiting,
  type Network,
  needsIngress,
  noGuard,
  type PlanGuard,
  type PlannedChange,
  type Service,
  type View,
} from "@gam/state";
import { AddressBook } from "./address-book.ts";
import { Allocation, isForsakable } from "./allocation.ts";
import { holdingsOfNetwork, holdingsOfService, holdingsOfTask } from "./holdings.ts";

/** Faults that a simulation plants, to prove that it finds them. */
export type AllocatorFault =
  /** The addresses of services count as free. */
  | "services-forgotten"
  /** Addresses are never freed. */
  | "nothing-freed"
  /** A bridge stays on a node where nothing of its network is left. */
  | "bridges-kept";
export type AllocatorFaults = ReadonlySet<AllocatorFault>;

export interface AllocationFacts {
  /** By the leader's clock, in milliseconds since 1970. */
  readonly nowMs: number;
  /** Most changes in one plan. The next plan goes on where this one stopped. */
  readonly changesMax?: number;
  /** Absent: errors of a plan are thrown. */
  readonly guard?: PlanGuard;
}

/** Keeps a log entry small. */
const changesMaxDefault = 2000;
const noFaults: AllocatorFaults = new Set();

export class Allocator {
  readonly #faults: AllocatorFaults;
  readonly #book = new AddressBook();
  #allMoved = true;
  /** Objects that changed since the address book was last updated. */
  readonly #moved = {
    node: new Set<NodeId>(),
    service: new Set<ServiceId>(),
    task: new Set<TaskId>(),
    network: new Set<NetworkId>(),
  };
  /** Objects to check in the next plan. */
  readonly #nodes = new Set<NodeId>();
  readonly #services = new Set<ServiceId>();
  readonly #networks = new Set<NetworkId>();
  readonly #unattached = new Set<TaskId>();
  readonly #forsaken = new Set<TaskId>();
  /** Services with ports that are published on every node. */
  readonly #publishing = new Set<ServiceId>();

  constructor(faults: AllocatorFaults = noFaults) {
    this.#faults = faults;
  }

  /** Makes the next plan check everything, because a new leader has missed events. */
  noticeAll(): void {
    this.#allMoved = true;
  }

  notice({ table, before, after }: Event): void {
    const row = after ?? before;
    const moved: Readonly<Partial<Record<string, Set<string>>>> = this.#moved;
    if (row !== undefined) moved[table]?.add("Id" in row ? row.Id : row.ID);
  }

  /**
   * Plans in the order of dependence: networks, then bridges, services, and tasks last. Spare bridges are checked
   * after that, when it is known which tasks have come.
   */
  plan(view: View, facts: AllocationFacts): PlannedChange[] {
    const { nowMs, changesMax = changesMaxDefault, guard = noGuard } = facts;
    this.#catchUp(view);
    const plan = new Allocation({ view, book: this.#book, nowMs });
    const isFull = (): boolean => plan.changes.length >= changesMax;
    const everywhere = ({ Ingress }: Network): boolean => Ingress && this.#publishing.size > 0;
    const again = new Set<NetworkId>();
    const networks = (look: (network: Network) => boolean): void => {
      for (const id of this.#networks) {
        const network = view.network(id);
        if (network === undefined) continue;
        if (isFull() || guarded(guard, id, () => look(network), true)) again.add(id);
      }
    };
    /** Checks each in turn. Keeps those to check again, and those that did not fit into this plan. */
    const each = <Id extends string>(list: Set<Id>, look: (id: Id) => boolean): void => {
      for (const id of list) {
        if (isFull()) return;
        if (!guarded(guard, id, () => look(id), true)) list.delete(id);
      }
    };
    networks((network) => plan.network(network));
    each(this.#nodes, (id) => {
      const node = view.node(id);
      return node !== undefined && plan.tunnel(node);
    });
    each(this.#forsaken, (id) => {
      const task = view.task(id);
      return task !== undefined && plan.release(task);
    });
    networks((network) => plan.bridges(network, everywhere(network)));
    each(this.#services, (id) => {
      const service = view.service(id);
      return service !== undefined && plan.service(service);
    });
    networks((network) => plan.attachments(network, isFull));
    each(this.#unattached, (id) => {
      const task = view.task(id);
      return task !== undefined && plan.task(task);
    });
    if (!this.#faults.has("bridges-kept")) {
      networks((network) => plan.spareBridges(network, everywhere(network)));
    }
    for (const id of this.#networks) if (!again.has(id)) this.#networks.delete(id);
    return plan.changes;
  }

  /**
   * Returns the placements plus a bridge for each node that gets its first task in a network. One log entry
   * holds both, so that the node can start the task at once. A task waits when there is no address for its
   * node's bridge.
   */
  withBridges(
    view: View,
    placed: readonly PlannedChange[],
    { nowMs, guard = noGuard }: AllocationFacts,
  ): readonly PlannedChange[] {
    this.#catchUp(view);
    const plan = new Allocation({ view, book: this.#book, nowMs });
    const rest = placed.filter((change) => {
      if (change.kind !== "assignTask") return true;
      return guarded(guard, change.id, () => hasBridges(plan, view, change), false);
    });
    return [...plan.setBridges(), ...plan.changes, ...rest];
  }

  /** Whether a node has a bridge in the network, or an address is free for one. */
  reach(view: View): (node: NodeId, network: NetworkId) => boolean {
    this.#catchUp(view);
    const rooms = new Map<NetworkId, boolean>();
    return (node, id) => {
      const network = view.network(id);
      if (network === undefined || network.Gam.gateways[node] !== undefined) return true;
      let room = rooms.get(id);
      if (room === undefined) {
        const plan = new Allocation({ view, book: this.#book, nowMs: 0 });
        room = plan.bridge(network, node) !== undefined;
        rooms.set(id, room);
      }
      return room;
    };
  }

  #catchUp(view: View): void {
    if (this.#allMoved) this.#begin(view);
    const { node, service, task, network } = this.#moved;
    for (const id of network) this.#networkMoved(view, id);
    for (const id of service) this.#serviceMoved(view, id);
    for (const id of task) this.#taskMoved(view, id);
    for (const id of node) this.#nodeMoved(view, id);
    for (const moved of [node, service, task, network]) moved.clear();
  }

  #begin(view: View): void {
    this.#allMoved = false;
    this.#book.clear();
    const { node, service, task, network } = this.#moved;
    const lists = [this.#nodes, this.#services, this.#networks, this.#unattached, this.#forsaken];
    for (const list of [...lists, this.#publishing, node, service, task, network]) list.clear();
    for (const { ID } of view.nodes()) node.add(ID);
    for (const { ID } of view.services()) service.add(ID);
    for (const { ID } of view.tasks()) task.add(ID);
    for (const { Id } of view.networks()) network.add(Id);
  }

  #networkMoved(view: View, id: NetworkId): void {
    const network = view.network(id);
    this.#hold(`network ${id}`, network === undefined ? [] : holdingsOfNetwork(network));
    if (network === undefined) {
      for (const { ID } of view.tasksWaiting()) this.#unattached.add(ID);
      return;
    }
    this.#networks.add(id);
    // A new network: a service may have named it before it was created.
    if (network.Gam.vni === 0) for (const { ID } of view.services()) this.#services.add(ID);
  }

  #serviceMoved(view: View, id: ServiceId): void {
    const service = view.service(id);
    const forgotten = service === undefined || this.#faults.has("services-forgotten");
    this.#hold(`service ${id}`, forgotten ? [] : holdingsOfService(service));
    if (service !== undefined) this.#services.add(id);
    const published = this.#publishing.size > 0;
    if (service !== undefined && publishes(service)) this.#publishing.add(id);
    else this.#publishing.delete(id);
    if (published !== this.#publishing.size > 0) this.#ingressMoved(view);
  }

  #taskMoved(view: View, id: TaskId): void {
    const task = view.task(id);
    const touched = this.#hold(`task ${id}`, task === undefined ? [] : holdingsOfTask(task));
    for (const network of touched) this.#networks.add(network);
    if (task === undefined) return;
    if (isWaiting(task)) this.#unattached.add(id);
    else if (isForsakable(task)) this.#forsaken.add(id);
  }

  #nodeMoved(view: View, id: NodeId): void {
    const node = view.node(id);
    if (node !== undefined) this.#nodes.add(id);
    if (this.#publishing.size > 0) this.#ingressMoved(view);
    const outOfReach = node === undefined || node.Status.State === "down";
    for (const task of view.tasksOn(id)) {
      // A node that comes back still has its tasks, but its bridges were removed.
      for (const { network } of task.Gam.attachments) this.#networks.add(network);
      if (outOfReach && isForsakable(task)) this.#forsaken.add(task.ID);
    }
  }

  #ingressMoved(view: View): void {
    const ingress = ingressOf(view);
    if (ingress !== undefined) this.#networks.add(ingress.Id);
  }

  #hold(holder: string, holdings: Parameters<AddressBook["hold"]>[1]): readonly NetworkId[] {
    if (holdings.length === 0 && this.#faults.has("nothing-freed")) return [];
    return this.#book.hold(holder, holdings);
  }
}

/** Whether the node has a bridge in each of the task's networks, after this plan. */
function hasBridges(
  plan: Allocation,
  view: View,
  { id, node }: Extract<PlannedChange, { kind: "assignTask" }>,
): boolean {
  const task = view.task(id);
  if (task === undefined) return true;
  const without = task.Gam.attachments
    .map(({ network }) => view.network(network))
    .find((network) => network && plan.bridge(network, node) === undefined);
  if (without !== undefined) plan.withoutBridge(task, without);
  return without === undefined;
}

/** The whole plan for a view, made without an earlier state. */
export function planAllocation(view: View, facts: AllocationFacts): PlannedChange[] {
  return new Allocator().plan(view, facts);
}

function publishes({ Spec }: Service): boolean {
  return needsIngress(Spec.EndpointSpec, Spec.Labels);
}
