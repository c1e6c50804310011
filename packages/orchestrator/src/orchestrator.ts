/**
 * Orchestrator: the leader's loop over services.
 *
 * Remembers only which services and nodes to look at again. Everything else is in the state, so the next
 * leader goes on where this one stopped. An event only says where to look, and the plan follows from the
 * view. So a lost, doubled or late event costs time and nothing else.
 *
 *   noticeAll()      once, by a new leader
 *   notice(event)    for each event of the store
 *   plan(view, …)    whenever something was noticed, and at a fixed pace for tasks that wait for a time
 *
 * Propose a plan, and wait until it is applied or known to be lost before the next. Two plans from the
 * same view make a task twice (a later plan drops the surplus one, but it may have started).
 */
import type { Mint, NodeId, ServiceId } from "@gam/core";
import {
  type Event,
  guarded,
  isTerminal,
  mainName,
  mainOf,
  noGuard,
  type PlanGuard,
  type PlannedChange,
  podMates,
  type Service,
  type Trust,
  type View,
} from "@gam/state";
import { Alarms } from "./alarms.ts";
import { planBackups } from "./backups.ts";
import { planContents } from "./contents.ts";
import { planEndpoints } from "./endpoint.ts";
import { planMoves } from "./moves.ts";
import { type PeerHealth, planNodes } from "./nodes.ts";
import type { CheckFacts } from "./rollout/analysis.ts";
import { noPlanFaults, type PlanFaults } from "./service/fault.ts";
import { reapService } from "./service/reap.ts";
import { planService, type ServicePlan } from "./service/service.ts";
import type { SituationParts } from "./service/situation.ts";

export interface Facts {
  /** By the leader's clock, in milliseconds since 1970. */
  readonly nowMs: number;
  /** A node without a verdict keeps its state. */
  readonly verdicts: ReadonlyMap<NodeId, PeerHealth>;
  /**
   * Whether a node has said, since it last started, what runs there. The dependants of its tasks wait until then.
   * Absent: all have.
   */
  readonly trust?: Trust;
  /** What the checks of rollouts have found. Absent: nothing was asked. */
  readonly checks?: CheckFacts;
  /** About how many changes one plan may have; a step that begins below it is whole. Default: `plannedMax`. */
  readonly changesMax?: number;
  /** Absent: errors in a plan are thrown. */
  readonly guard?: PlanGuard;
}

/** Changes of one plan, so that one log entry stays small. */
const plannedMax = 2000;
/** The plan of a service that is left out this time. */
const later: ServicePlan = { steps: [], waiting: true };

export class Orchestrator {
  readonly #mint: Mint;
  readonly #faults: PlanFaults;
  #dirty = new Set<ServiceId>();
  readonly #dirtyNodes = new Set<NodeId>();
  #allDirty = false;
  #contentsDirty = false;
  /** When schedules need another look. Cheap while nothing is due. */
  readonly #alarms = new Alarms();
  #movesDirty = false;
  #backupsDirty = false;
  /** When the next backup is due, as far as the last plan knew, and when that plan was made. */
  #backups = { atMs: Number.POSITIVE_INFINITY, plannedMs: 0 };

  constructor(mint: Mint, faults: PlanFaults = noPlanFaults) {
    this.#mint = mint;
    this.#faults = faults;
  }

  /** A new leader has missed events, so it looks at everything once. */
  noticeAll(): void {
    this.#allDirty = true;
    this.#contentsDirty = true;
    this.#movesDirty = true;
    this.#backupsDirty = true;
  }

  notice(event: Event): void {
    switch (event.table) {
      case "cluster":
        this.#allDirty = true;
        return;
      case "secret":
      case "config":
        this.#contentsDirty = true;
        return;
      case "node": {
        const id = (event.after ?? event.before)?.ID;
        if (id !== undefined) this.#dirtyNodes.add(id);
        this.#movesDirty = true;
        return;
      }
      case "service": {
        const id = (event.after ?? event.before)?.ID;
        if (id !== undefined) this.#dirty.add(id);
        this.#contentsDirty = true;
        if (event.before?.Spec !== event.after?.Spec) this.#backupsDirty = true;
        return;
      }
      case "task": {
        if (mayFree(event)) this.#contentsDirty = true;
        const id = (event.after ?? event.before)?.ServiceID;
        if (id !== undefined) this.#dirty.add(id);
        return;
      }
      case "volume": {
        const { before, after } = event;
        this.#backupsDirty = true;
        if (before?.Move !== after?.Move) this.#movesDirty = true;
        if (after?.Move !== undefined) this.#dirtyNodes.add(after.Move.from);
        if (after?.Restore !== undefined) this.#dirtyNodes.add(after.Restore.node);
        return;
      }
      case "network":
        return;
    }
  }

  /** Returns: the next changes. States of nodes come first and alone, since everything else depends on them. */
  plan(view: View, facts: Facts): PlannedChange[] {
    const { nowMs, verdicts, trust, checks, changesMax = plannedMax, guard = noGuard } = facts;
    const judged = planNodes(view, { verdicts, nowMs, guard });
    if (judged.length > 0) return judged;
    for (const id of this.#alarms.due(nowMs)) this.#dirty.add(id);
    this.#spread(view);
    const services = [...this.#dirty]
      .map((id) => view.service(id))
      .filter((service) => service !== undefined);
    const changes: PlannedChange[] = planEndpoints(view, services, { changesMax, guard });
    const again = new Set(changes.flatMap((change) => ("id" in change ? [change.id] : [])));
    const left = new Set<ServiceId>();
    for (const id of this.#dirty) {
      if (changes.length >= changesMax) {
        left.add(id);
        continue;
      }
      const look = (): ServicePlan => this.#look(view, id, { nowMs, changesMax, trust, checks });
      const { steps, waiting, againAtMs } = guarded(guard, id, look, later);
      this.#alarms.set(id, againAtMs);
      for (const step of steps) {
        if (changes.length >= changesMax) break;
        changes.push(...step);
      }
      // Look again until nothing is left to do: this plan may be lost on its way to the log.
      if (waiting || steps.length > 0 || again.has(id)) left.add(id);
    }
    this.#dirty = left;
    return [
      ...changes,
      ...this.#planContents(view, guard),
      ...this.#planMoves(view),
      ...this.#planBackups(view, nowMs),
    ];
  }

  /** Looks again until nothing is left to do, as #planContents(), and if the clock goes back. */
  #planBackups(view: View, nowMs: number): readonly PlannedChange[] {
    const { atMs, plannedMs } = this.#backups;
    if (!this.#backupsDirty && nowMs < atMs && nowMs >= plannedMs) return [];
    const { changes, againAtMs = Number.POSITIVE_INFINITY } = planBackups(view, {
      ...{ nowMs, mint: this.#mint },
    });
    this.#backupsDirty = changes.length > 0;
    this.#backups = { atMs: againAtMs, plannedMs: nowMs };
    return changes;
  }

  /** Looks again until nothing is left to do, as #planContents(). */
  #planMoves(view: View): PlannedChange[] {
    if (!this.#movesDirty) return [];
    const changes = planMoves(view);
    this.#movesDirty = changes.length > 0;
    return changes;
  }

  /** Looks again until nothing is left to do: this plan may be lost on its way to the log. */
  #planContents(view: View, guard: PlanGuard): PlannedChange[] {
    if (!this.#contentsDirty) return [];
    const changes = planContents(view, guard);
    this.#contentsDirty = changes.length > 0;
    return changes;
  }

  #look(
    view: View,
    id: ServiceId,
    limits: Pick<SituationParts, "nowMs" | "changesMax" | "trust" | "checks">,
  ): ServicePlan {
    const service = view.service(id);
    if (service !== undefined) {
      return planService(view, service, { ...limits, mint: this.#mint, faults: this.#faults });
    }
    const steps = reapService(view, view.tasksOf(id)).map((change) => [change]);
    return { steps, waiting: false };
  }

  /** Marks the services that the noticed nodes, or everything, concern. */
  #spread(view: View): void {
    if (this.#allDirty) {
      for (const service of view.services()) this.#dirty.add(service.ID);
      for (const task of view.tasks()) this.#dirty.add(task.ServiceID);
    } else if (this.#dirtyNodes.size > 0) {
      for (const id of this.#dirtyNodes) {
        for (const task of view.tasksOn(id)) this.#dirty.add(task.ServiceID);
      }
      for (const service of view.services()) if (followsNodes(service)) this.#dirty.add(service.ID);
    }
    // What is new of one service of a pod concerns the others.
    for (const id of [...this.#dirty]) {
      const service = view.service(id);
      const mates = service === undefined ? partsOfGone(view) : podMates(view, service);
      for (const mate of mates) this.#dirty.add(mate.ID);
    }
    this.#allDirty = false;
    this.#dirtyNodes.clear();
  }
}

/** Whether a content may be needed no more: its task has ended or is gone. */
function mayFree({ before, after }: Extract<Event, { table: "task" }>): boolean {
  if (before === undefined || Object.keys(before.Gam.contents).length === 0) return false;
  return after === undefined || isTerminal(after.Status.State);
}

/** Returns: the services that may have been parts of a pod whose main service is gone. */
function partsOfGone(view: View): readonly Service[] {
  return view.services().filter((one) => {
    return mainName(one.Spec.Labels) !== undefined && mainOf(view, one) === undefined;
  });
}

function followsNodes({ Spec: { Mode } }: Service): boolean {
  return Mode.Global !== undefined || Mode.GlobalJob !== undefined;
}
