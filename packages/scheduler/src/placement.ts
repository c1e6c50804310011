/**
 * Placement: which node each waiting task gets, or why it gets none.
 *
 * Unsuitable nodes are filtered out (filter.ts). The others are ranked: spread preferences, fewest
 * tasks of the service (nodes where it keeps failing last), cost, image present, id. Tasks of one
 * service and template are equal, so nodes are filtered and ranked once for all of them, and each
 * placed task only moves its node back in the order.
 *
 * Does not decide which tasks there should be, and ignores tasks that still lack an address. A task made for
 * one node (global services) is assigned to it when it fits. Planned again after it is applied, the plan
 * is empty.
 */
import type { NodeId, ServiceId } from "@gam/core";
import {
  compareStates,
  failedOn,
  type GenericResource,
  guarded,
  imageNames,
  isAttached,
  isTerminal,
  isWanted,
  messageLengthMax,
  noGuard,
  type PlanGuard,
  type PlannedChange,
  readLabel,
  slotName,
  strategyLabel,
  type Task,
  type TaskStatus,
  type Usage,
  type View,
} from "@gam/state";
import { type Affinity, affinityOf, Neighbours } from "./affinity.ts";
import { costOf } from "./cost.ts";
import {
  type Candidate,
  explain,
  fitting,
  mateWish,
  type NetworkReach,
  stillFits,
  takeRoom,
  type Wish,
  wishOf,
} from "./filter.ts";
import { NodeResources, reservationOf } from "./node-resources.ts";
import { matesOf, PodRooms } from "./pod.ts";
import { type Ranked, type Spread, spreadOver } from "./spread.ts";
import { VolumeBindings } from "./volume-binding.ts";

export interface PlacementFacts {
  readonly usage: ReadonlyMap<NodeId, Usage>;
  /** By the leader's clock, in milliseconds since 1970. */
  readonly nowMs: number;
  /** The most changes in one plan; the next plan continues. Default: `placementsMax`. */
  readonly changesMax?: number;
  /** Absent: all nodes can take part in all networks. */
  readonly reaches?: NetworkReach;
  /** Absent: errors in a plan are thrown. */
  readonly guard?: PlanGuard;
}

/** Changes of one plan, so that one log entry stays small. */
const placementsMax = 2000;

/** A node with failures of a service of this weight, in all its places, ranks last. See failed-on.ts of the state. */
const failuresMax = 4;

export function planPlacement(view: View, facts: PlacementFacts): PlannedChange[] {
  const { guard = noGuard } = facts;
  const waiting = view.tasksWaiting().filter((task) => {
    return guarded(guard, task.ID, () => isAttached(task, view), false);
  });
  if (waiting.length === 0) return [];
  const rooms = view.nodes().flatMap((node) => {
    return guarded(guard, node.ID, () => [new NodeResources(node, view.tasksOn(node.ID))], []);
  });
  const neighbours = new Neighbours(view);
  const podRooms = new PodRooms(
    view,
    rooms.map((resources) => ({ resources })),
  );
  const changes: PlannedChange[] = [];
  const changesMax = facts.changesMax ?? placementsMax;
  const bindings = new VolumeBindings(view);
  for (const [service, groups] of groupsOf(waiting)) {
    if (guard.skips(service)) continue;
    const counts = countsOf(view.tasksOf(service), facts.nowMs);
    const candidates = rooms.map((resources) => ({
      resources,
      ofService: counts.wanted.get(resources.node.ID) ?? 0,
    }));
    for (const group of groups) {
      if (changes.length >= changesMax) return changes;
      const room = changesMax - changes.length;
      const { failing } = counts;
      const around = { view, facts, bindings, neighbours, podRooms };
      const placing = new Placing(around, candidates, failing);
      changes.push(...guarded(guard, service, () => placing.place(group, room), []));
    }
  }
  return changes;
}

/** Returns: groups of equal tasks, by service. A task that was made for a node is unlike the others (rebalance). */
function groupsOf(tasks: readonly Task[]): Map<ServiceId, Task[][]> {
  const services = new Map<ServiceId, Map<string, Task[]>>();
  for (const task of tasks) {
    const versions = services.get(task.ServiceID) ?? new Map<string, Task[]>();
    services.set(task.ServiceID, versions);
    const kind = `${task.Gam.templateVersion} ${task.NodeID === undefined}`;
    const group = versions.get(kind);
    if (group === undefined) versions.set(kind, [task]);
    else group.push(task);
  }
  return new Map([...services].map(([id, versions]) => [id, [...versions.values()]]));
}

interface Counts {
  readonly wanted: ReadonlyMap<NodeId, number>;
  readonly failing: ReadonlySet<NodeId>;
}

/** Returns: what the tasks of a service mean for the ranks of nodes. */
export function countsOf(tasks: readonly Task[], nowMs: number): Counts {
  const wanted = new Map<NodeId, number>();
  const failures = new Map<NodeId, number>();
  const newest = new Map<string, Task>();
  for (const task of tasks) {
    newest.set(slotName(task), task);
    const { NodeID, Status } = task;
    if (NodeID === undefined || isTerminal(Status.State)) continue;
    const waits = compareStates(Status.State, "assigned") < 0;
    if (isWanted(task) && !waits) wanted.set(NodeID, (wanted.get(NodeID) ?? 0) + 1);
  }
  for (const task of newest.values()) {
    for (const { node, weight } of failedOn(task, nowMs)) {
      failures.set(node, (failures.get(node) ?? 0) + weight);
    }
  }
  const failing = [...failures].filter(([, weight]) => weight >= failuresMax).map(([id]) => id);
  return { wanted, failing: new Set(failing) };
}

/** A suitable node with its rank. `of`: what the ranks of other groups begin with. */
interface Place extends Ranked {
  readonly of: Candidate;
}

/** Places one group of equal tasks. */
export class Placing {
  readonly #view: View;
  readonly #facts: PlacementFacts;
  readonly #bindings: VolumeBindings;
  readonly #candidates: readonly Candidate[];
  readonly #failing: ReadonlySet<NodeId>;
  readonly #neighbours: Neighbours;
  readonly #podRooms: PodRooms;

  constructor(
    around: {
      readonly view: View;
      readonly facts: PlacementFacts;
      readonly bindings: VolumeBindings;
      readonly neighbours: Neighbours;
      readonly podRooms: PodRooms;
    },
    candidates: readonly Candidate[],
    failing: ReadonlySet<NodeId>,
  ) {
    this.#view = around.view;
    this.#facts = around.facts;
    this.#bindings = around.bindings;
    this.#candidates = candidates;
    this.#failing = failing;
    this.#neighbours = around.neighbours;
    this.#podRooms = around.podRooms;
  }

  /** Returns: at most `changesMax` changes. Skips the tasks after them. */
  place(tasks: readonly Task[], changesMax: number): PlannedChange[] {
    const bound = Map.groupBy(tasks, (task) => this.#bindingKey(task));
    const changes: PlannedChange[] = [];
    for (const alike of bound.values()) {
      changes.push(...this.#placeAlike(alike, changesMax - changes.length));
    }
    return changes;
  }

  /** The same for tasks whose pods have their volumes in the same places. */
  #bindingKey(task: Task): string | undefined {
    const mates = matesOf(this.#view, task);
    const keys = [task, ...mates].map((one) => this.#bindings.of(one)?.key);
    return keys.length === 1 ? keys[0] : JSON.stringify(keys);
  }

  /** Places tasks whose volumes are in the same place. */
  #placeAlike(tasks: readonly Task[], changesMax: number): PlannedChange[] {
    const first = tasks[0];
    if (first === undefined) return [];
    const service = this.#view.service(first.ServiceID);
    const begin = (): { isOwn: boolean; place: (task: Task) => PlannedChange[] } => {
      const affinity = affinityOf(this.#view, service, this.#neighbours);
      return { isOwn: affinity?.isOwn === true, place: this.#placeEach(first, affinity) };
    };
    let { isOwn, place } = begin();
    const changes: PlannedChange[] = [];
    for (const task of tasks) {
      // A task whose reason is already in the state makes no change.
      if (changes.length >= changesMax) break;
      const placed = place(task);
      changes.push(...placed);
      for (const change of placed) {
        if (change.kind === "assignTask") this.#neighbours.placed(task.ServiceID, change.node);
      }
      // Each task of a service with rules about itself changes what the next may have.
      if (isOwn && placed.length > 0) ({ isOwn, place } = begin());
    }
    return changes;
  }

  /** Returns: a function that places the tasks of the group, one after the other. */
  #placeEach(first: Task, affinity: Affinity | undefined): (task: Task) => PlannedChange[] {
    const wish = this.wishFor(first, affinity);
    if (first.NodeID === undefined) return this.#anywhere(first, wish);
    return (task) => this.#placeOnItsNode(task, wish);
  }

  /** Returns: what such tasks need from their nodes. */
  wishFor(first: Task, affinity: Affinity | undefined): Wish {
    const { reaches } = this.#facts;
    const binding = this.#bindings.of(first);
    const mates = matesOf(this.#view, first).map((mate) => {
      const around = { view: this.#view, binding: this.#bindings.of(mate) };
      return mateWish(mate, reservationOf(mate), around);
    });
    const around = { view: this.#view, reaches, binding, affinity, mates };
    return wishOf(first, reservationOf(first), around);
  }

  /** Whether the service's tasks should fill nodes one after the other. */
  #packs(first: Task): boolean {
    const labels = this.#view.service(first.ServiceID)?.Spec.Labels;
    return readLabel(strategyLabel, labels) === "binpack";
  }

  /** A measured load says how busy a node is, not how full. */
  #costAt(resources: NodeResources, known: Usage | undefined, packs: boolean): number {
    return costOf(resources, packs ? undefined : known, this.#facts.nowMs);
  }

  /** Returns: the suitable nodes, the best one first. */
  ranking(first: Task, wish: Wish): Spread {
    const { usage } = this.#facts;
    const names = imageNames(first.Spec.ContainerSpec.Image);
    const packs = this.#packs(first);
    const ranked = fitting(this.#candidates, wish).map((candidate): Place => {
      const { ID } = candidate.resources.node;
      const known = usage.get(ID);
      return {
        of: candidate,
        resources: candidate.resources,
        ofService: candidate.ofService,
        failing: this.#failing.has(ID),
        cost: this.#costAt(candidate.resources, known, packs),
        preference: wish.affinity?.preference(candidate.resources.node) ?? 0,
        packs,
        imageMissing: known === undefined || !known.images.some((image) => names.has(image)),
      };
    });
    return spreadOver(ranked, first.Spec.Placement?.Preferences ?? []);
  }

  #anywhere(first: Task, wish: Wish): (task: Task) => PlannedChange[] {
    const { usage, nowMs } = this.#facts;
    const packs = this.#packs(first);
    const spread = this.ranking(first, wish);
    const status = assigned(nowMs);
    let why: TaskStatus | undefined;
    return (task) => {
      const best = spread.first() as Place | undefined;
      if (best === undefined) {
        why ??= waits(explain(this.#candidates, wish), nowMs);
        return explained(task, why);
      }
      const generic = takeRoom(best.resources, wish);
      best.ofService += 1;
      best.of.ofService += 1;
      best.cost = this.#costAt(best.resources, usage.get(best.resources.node.ID), packs);
      spread.settleFirst();
      // Remove full nodes from the front only. Others are checked when their turn comes.
      for (let next = spread.first(); next !== undefined; next = spread.first()) {
        if (stillFits(next, wish)) break;
        spread.removeFirst();
      }
      const node = best.resources.node.ID;
      const loss = this.#bindings.lossOf(task);
      for (const one of [task, ...matesOf(this.#view, task)]) this.#bindings.placed(one, node);
      const told = loss === undefined ? status : assigned(nowMs, loss);
      return [assign(task, node, { status: told, generic })];
    };
  }

  #placeOnItsNode(task: Task, wish: Wish): PlannedChange[] {
    const { nowMs } = this.#facts;
    const own = this.#candidates.filter(({ resources }) => resources.node.ID === task.NodeID);
    const keepAgain = this.#podRooms.free(task);
    const [fits] = fitting(own, wish);
    if (fits === undefined) {
      keepAgain();
      return explained(task, waits(explain(own, wish), nowMs));
    }
    const generic = takeRoom(fits.resources, wish);
    fits.ofService += 1;
    const node = fits.resources.node.ID;
    return [assign(task, node, { status: assigned(nowMs), generic })];
  }
}

function assign(
  { ID }: Task,
  node: NodeId,
  { status, generic }: { status: TaskStatus; generic: readonly GenericResource[] },
): PlannedChange {
  const change = { kind: "assignTask", id: ID, node, status } as const;
  return generic.length === 0 ? change : { ...change, generic };
}

function assigned(nowMs: number, loss?: string): TaskStatus {
  const Timestamp = new Date(nowMs).toISOString();
  const Message = ["scheduler assigned task to node", loss ?? []].flat().join(": ");
  return { Timestamp, State: "assigned", Message };
}

function waits(reason: string, nowMs: number): TaskStatus {
  const Timestamp = new Date(nowMs).toISOString();
  const Err = reason.slice(0, messageLengthMax);
  return { Timestamp, State: "pending", Message: "pending task scheduling", Err };
}

/** Reports a reason only when it has changed. */
function explained(task: Task, status: TaskStatus): PlannedChange[] {
  if (task.Status.State === status.State && task.Status.Err === status.Err) return [];
  return [{ kind: "explainTask", id: task.ID, status }];
}
