/**
 * Rebalance: which running tasks would be better off on another node, and why.
 *
 *   spread   a service has at least two tasks more on one node than on another that suits it, or in one branch
 *            of its spread preferences
 *   load     a node is fuller than another by a fifth, and by as much as the task takes, and the spread stays as it is
 *   hot      a node has been busy for long, another one is not, and neither rule above would undo the move
 *
 * Each move makes the spread more even, or keeps it and makes the load more even. So moves come to an end, and no
 * move undoes another. Only replicated services whose replicas all run are touched, one task at a time, and none
 * with data on its node: local volumes and folders of the host. Labels about neighbours hold for moves as well: a
 * packed service stays, and so does one that others want to be near.
 *
 * Does not decide when moves are made, nor how many at a time.
 */
import type { NodeId, ServiceId } from "@gam/core";
import {
  affinityLabel,
  guarded,
  isWanted,
  mainName,
  noGuard,
  type PlanGuard,
  type RebalanceMove,
  readLabel,
  type Service,
  serviceMeant,
  strategyLabel,
  type Task,
  type Usage,
  type View,
  waitsFor,
} from "@gam/state";
import { type Affinity, affinityOf, Neighbours } from "./affinity.ts";
import {
  type Candidate,
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
import { branchesOf } from "./spread.ts";

export interface RebalanceFacts {
  readonly nowMs: number;
  readonly usage: ReadonlyMap<NodeId, Usage>;
  /** Nodes that have been busy for long. */
  readonly hot: ReadonlySet<NodeId>;
  /** Tasks that run for less than this stay where they are. */
  readonly settledMs: number;
  /** Services that have a move under way. */
  readonly busy?: ReadonlySet<ServiceId>;
  /** Whether a move of the service to that node failed lately. */
  readonly avoids?: (service: ServiceId, node: NodeId) => boolean;
  readonly reaches?: NetworkReach;
  readonly guard?: PlanGuard;
  /** The most moves in one plan. */
  readonly movesMax: number;
}

/** What a task weighs by its mere number. */
const crowdWeight = 0.05;
/** A node has to be fuller than another by this share of its load, and by what the task weighs on both. */
const threshold = 0.2;
/** A task of a hot node may make the other one fuller by this much: less than the rule for the load would undo. */
const hotMargin = 0.05;
const rounding = 1e-9;
/** A node with less of its CPUs in use may take tasks of a hot one. */
const coolCpu = 0.5;
/** A task that was moved stays for this long when its new node gets hot as well. */
const hotRestMs = 3_600_000;

/** Returns: the moves, the most useful first, each with those before it counted as done. */
export function planMoves(view: View, facts: RebalanceFacts): readonly RebalanceMove[] {
  const { guard = noGuard } = facts;
  const planning = new Planning(view, facts);
  const services = view.services().flatMap((service) => {
    if (facts.busy?.has(service.ID)) return [];
    return guarded(guard, service.ID, () => planning.crewOf(service) ?? [], []);
  });
  const moves: RebalanceMove[] = [];
  while (moves.length < facts.movesMax) {
    const best = planning.best(services);
    if (best === undefined) break;
    planning.make(best);
    moves.push(best.move);
  }
  return moves;
}

/** A service whose tasks may move. */
interface Crew {
  readonly service: Service;
  /** Tasks that may move, by node. */
  readonly movable: Map<NodeId, Task[]>;
  /** Wanted tasks by branch of the preferences, from the whole down to single nodes. */
  readonly counts: Map<string, number>;
  readonly suitable: readonly Candidate[];
  readonly wish: Wish;
  /** The share of a node that a task takes. */
  readonly weightOn: (node: NodeId) => number;
}

interface Choice {
  readonly move: RebalanceMove;
  readonly crew: Crew;
  readonly task: Task;
  readonly rank: readonly number[];
}

class Planning {
  readonly #view: View;
  readonly #facts: RebalanceFacts;
  readonly #nodes = new Map<NodeId, Candidate>();
  readonly #loads = new Map<NodeId, number>();
  readonly #neighbours: Neighbours;
  /** What labels say about moves of a service; without those whose moves were no use so far. */
  readonly #affinities = new Map<ServiceId, Affinity | "stays" | undefined>();
  #wanted: ReadonlySet<ServiceId> | undefined;

  constructor(view: View, facts: RebalanceFacts) {
    const { guard = noGuard } = facts;
    this.#view = view;
    this.#neighbours = new Neighbours(view);
    this.#facts = facts;
    for (const node of view.nodes()) {
      const tasks = view.tasksOn(node.ID);
      guarded(
        guard,
        node.ID,
        () => {
          this.#nodes.set(node.ID, { resources: new NodeResources(node, tasks), ofService: 0 });
          const live = tasks.filter((task) => isWanted(task));
          const loads = live.map((task) => weightOf(task, node.Description.Resources));
          this.#loads.set(
            node.ID,
            loads.reduce((a, b) => a + b, 0),
          );
        },
        undefined,
      );
    }
    new PodRooms(view, [...this.#nodes.values()]);
  }

  /** Returns: undefined for a service whose tasks stay where they are. */
  crewOf(service: Service): Crew | undefined {
    const { Spec, UpdateStatus } = service;
    const replicas = Spec.Mode.Replicated?.Replicas ?? (Spec.Mode.Replicated ? 1 : 0);
    if (replicas === 0 || !/^$|completed$/.test(UpdateStatus?.State ?? "")) return undefined;
    if (readLabel(strategyLabel, Spec.Labels) === "binpack") return undefined;
    // A part of a pod goes where its main task goes.
    if (mainName(Spec.Labels) !== undefined) return undefined;
    const wanted = this.#view.tasksOf(service.ID).filter((task) => isWanted(task));
    const running = wanted.filter((task) => this.#runs(task));
    const [first] = running;
    // One more task, or one fewer, is under way.
    if (first === undefined || running.length !== replicas || wanted.length !== replicas) {
      return undefined;
    }
    const mates = matesOf(this.#view, first);
    if ([...running, ...mates].some((task) => hasDataOnNode(task))) return undefined;
    const counts = new Map<string, number>();
    const ofNode = Map.groupBy(running, (task) => task.NodeID as NodeId);
    for (const task of running) this.#count(counts, service, task.NodeID as NodeId, 1);
    const candidates = [...this.#nodes].map(([id, { resources }]) => {
      return { resources, ofService: ofNode.get(id)?.length ?? 0 };
    });
    const { NodeID: _, ...anywhere } = first;
    const { reaches, avoids = () => false } = this.#facts;
    const wish = wishOf(anywhere, reservationOf(first), {
      ...{ view: this.#view, reaches },
      mates: mates.map((mate) => mateWish(mate, reservationOf(mate), { view: this.#view })),
    });
    const settled = running.filter((task) => this.#isSettled(task));
    return {
      service,
      movable: Map.groupBy(settled, (task) => task.NodeID as NodeId),
      counts,
      suitable: fitting(candidates, wish).filter(({ resources }) => {
        return !avoids(service.ID, resources.node.ID);
      }),
      wish,
      weightOn: (id) => {
        const node = this.#view.node(id);
        if (node === undefined) return 0;
        const weights = [first, ...mates].map((one) => weightOf(one, node.Description.Resources));
        return weights.reduce((a, b) => a + b, 0);
      },
    };
  }

  #runs(task: Task): boolean {
    const node = task.NodeID === undefined ? undefined : this.#view.node(task.NodeID);
    return task.Status.State === "running" && node?.Status.State === "ready";
  }

  #isSettled({ CreatedAt }: Task): boolean {
    return this.#facts.nowMs - Date.parse(CreatedAt) >= this.#facts.settledMs;
  }

  #count(counts: Map<string, number>, service: Service, id: NodeId, by: number): void {
    for (const branch of this.#branches(service, id)) {
      counts.set(branch, (counts.get(branch) ?? 0) + by);
    }
  }

  /** From the widest branch to the node. */
  #branches({ Spec }: Service, id: NodeId): readonly string[] {
    const node = this.#view.node(id);
    if (node === undefined) return [id];
    return [...branchesOf(node, Spec.TaskTemplate.Placement?.Preferences ?? []), id];
  }

  best(crews: readonly Crew[]): Choice | undefined {
    let best: Choice | undefined;
    for (const crew of crews) {
      for (const [from, tasks] of crew.movable) {
        const task = tasks.at(-1);
        if (task === undefined) continue;
        for (const candidate of crew.suitable) {
          if (!stillFits(candidate, crew.wish)) continue;
          const choice = this.#choiceOf(crew, task, from, candidate.resources.node.ID);
          if (choice === undefined || (best !== undefined && !isBefore(choice, best))) continue;
          if (this.#mayMove(crew.service, from, candidate.resources.node.ID)) best = choice;
        }
      }
    }
    return best;
  }

  /** Whether the labels of this service and of others allow the move. */
  #mayMove(service: Service, from: NodeId, to: NodeId): boolean {
    const known = this.#affinities;
    if (!known.has(service.ID)) known.set(service.ID, this.#affinityOf(service));
    const affinity = known.get(service.ID);
    if (affinity === undefined || affinity === "stays") return affinity === undefined;
    const [source, target] = [this.#view.node(from), this.#view.node(to)];
    if (source === undefined || target === undefined) return false;
    if (affinity.breach(target) !== undefined) return false;
    return affinity.preference(target) >= affinity.preference(source);
  }

  #affinityOf(service: Service): Affinity | "stays" | undefined {
    // A new task could not take over before these services are there.
    const isHeld = waitsFor(this.#view, service.Spec, () => true) !== undefined;
    if (isHeld || this.#wantedNear.has(service.ID)) return "stays";
    return affinityOf(this.#view, service, this.#neighbours);
  }

  /** Services that others want to be near. */
  get #wantedNear(): ReadonlySet<ServiceId> {
    this.#wanted ??= new Set(
      this.#view.services().flatMap(({ ID, Spec }) => {
        const terms = readLabel(affinityLabel, Spec.Labels) ?? [];
        const named = terms.flatMap((term) => (term.kind === "service" ? [term.name] : []));
        const meant = named.map((name) => serviceMeant(this.#view, Spec, name)?.ID);
        return meant.filter((id) => id !== undefined && id !== ID);
      }) as ServiceId[],
    );
    return this.#wanted;
  }

  #choiceOf(crew: Crew, task: Task, from: NodeId, to: NodeId): Choice | undefined {
    if (from === to) return undefined;
    const gaps = this.#gaps(crew, from, to);
    const [gap = 0] = gaps;
    const [full, free] = [this.#loads.get(from) ?? 0, this.#loads.get(to) ?? 0];
    const weights = crew.weightOn(from) + crew.weightOn(to);
    const { ID, ServiceID } = task;
    const chosen = (reason: string, ...rank: number[]): Choice => ({
      move: { task: ID, service: ServiceID, from, to, reason },
      ...{ crew, task, rank },
    });
    const [a, b] = [this.#nameOf(from), this.#nameOf(to)];
    if (gap >= 2) {
      const [more, fewer] = [crew.counts.get(from) ?? 0, crew.counts.get(to) ?? 0];
      return chosen(
        `${more} tasks of the service are on ${a}, ${fewer} on ${b}`,
        3,
        gap,
        full - free,
      );
    }
    // Each level must stay as even as it is.
    if (gaps.some((one) => one < 1)) return undefined;
    const isUneven = full - free >= Math.max(weights, threshold * full) - rounding;
    if (this.#isHot(task, from, to) && free + weights <= full + hotMargin + rounding) {
      return chosen(
        `${a} has ${this.#cpuOf(from)} of its CPU in use, ${b} has ${this.#cpuOf(to)}`,
        2,
        full - free,
      );
    }
    if (!isUneven) return undefined;
    return chosen(
      `${a} is fuller than ${b}: ${full.toFixed(2)} and ${free.toFixed(2)}`,
      1,
      full - free,
    );
  }

  /** How many tasks more the one branch has, from the level at which they part down to the nodes. */
  #gaps({ counts, service }: Crew, from: NodeId, to: NodeId): number[] {
    const [ours, theirs] = [this.#branches(service, from), this.#branches(service, to)];
    const parts = ours.findIndex((branch, level) => branch !== theirs[level]);
    return ours.slice(parts).map((branch, index) => {
      return (counts.get(branch) ?? 0) - (counts.get(theirs[parts + index] ?? "") ?? 0);
    });
  }

  #isHot(task: Task, from: NodeId, to: NodeId): boolean {
    const { hot, usage, nowMs } = this.#facts;
    const cool = usage.get(to);
    if (!hot.has(from) || hot.has(to) || cool === undefined || cool.cpu > coolCpu) return false;
    return task.Gam.moves === undefined || nowMs - Date.parse(task.CreatedAt) >= hotRestMs;
  }

  /** Counts the move as done, but for what the task holds on its old node: it stays there until it has ended. */
  make({ move: { from, to }, crew, task }: Choice): void {
    const left = crew.movable.get(from)?.filter((one) => one !== task) ?? [];
    crew.movable.set(from, left);
    this.#count(crew.counts, crew.service, from, -1);
    this.#count(crew.counts, crew.service, to, 1);
    this.#neighbours.placed(crew.service.ID, to);
    this.#affinities.clear();
    this.#loads.set(from, (this.#loads.get(from) ?? 0) - crew.weightOn(from));
    this.#loads.set(to, (this.#loads.get(to) ?? 0) + crew.weightOn(to));
    const there = crew.suitable.find(({ resources }) => resources.node.ID === to);
    if (there === undefined) return;
    there.ofService += 1;
    takeRoom(there.resources, crew.wish);
  }

  #nameOf(id: NodeId): string {
    return this.#view.node(id)?.Description.Hostname || id;
  }

  #cpuOf(id: NodeId): string {
    return `${Math.round(100 * (this.#facts.usage.get(id)?.cpu ?? 0))}%`;
  }
}

function isBefore(a: Choice, b: Choice): boolean {
  const at = a.rank.findIndex((one, index) => Math.abs(one - (b.rank[index] ?? 0)) > 1e-9);
  return at >= 0 && (a.rank[at] ?? 0) > (b.rank[at] ?? 0);
}

function weightOf(task: Task, whole: { NanoCPUs: number; MemoryBytes: number }): number {
  const { nanoCpus, memoryBytes } = reservationOf(task);
  const share = (part: number, all: number): number => (all > 0 ? part / all : 0);
  return crowdWeight + share(nanoCpus, whole.NanoCPUs) + share(memoryBytes, whole.MemoryBytes);
}

/** Whether the task would lose data, or find other data, on another node. */
function hasDataOnNode({ Spec }: Task): boolean {
  return (Spec.ContainerSpec.Mounts ?? []).some(({ Type = "volume", VolumeOptions }) => {
    if (Type === "bind") return true;
    return Type === "volume" && /^(local)?$/.test(VolumeOptions?.DriverConfig?.Name ?? "");
  });
}
