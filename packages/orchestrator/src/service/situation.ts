/**
 * Situation: one service and the facts that its plans need.
 *
 * Answers the questions that all of them ask: is this task up to date, and what has happened to its node.
 * Decides nothing. Each plan gets a new one, from one view.
 */
import type { Mint, NodeId, ServiceId, TaskId } from "@gam/core";
import {
  type Constraint,
  type ContentVersions,
  currentContents,
  drainLabel,
  isInit,
  isTerminal,
  isWanted,
  matchesPlatform,
  meetsConstraints,
  mustYield,
  type Node,
  partsOf,
  podRestartLabel,
  type Rollout,
  readConstraints,
  readLabel,
  type Service,
  type Task,
  type TaskSpec,
  type Trust,
  UpToDate,
  updateWaitsFor,
  type View,
  waitsFor,
  waitsForInit,
} from "@gam/state";
import { type CheckFacts, noChecks } from "../rollout/analysis.ts";
import { endedByItself } from "./ended.ts";
import type { PlanFaults } from "./fault.ts";
import { podDelayMs } from "./pod-restart.ts";

/**
 * The condition of a wanted task.
 *
 * ended    it has ended by itself
 * leaving  it must leave its node at once: the node is drained or removed, no longer meets its constraints, or its
 *          volume is being moved away or restored; or a part of its pod has to leave, or has ended and takes the pod with it
 * lost     its node is down and may come back with it
 * live     anything else, including a task without a node
 */
export type TaskCondition = "ended" | "leaving" | "lost" | "live";

export interface SituationParts {
  readonly nowMs: number;
  readonly mint: Mint;
  readonly faults: PlanFaults;
  /** About how many changes one plan may have. */
  readonly changesMax: number;
  /** Absent: all that the state says of tasks is true. */
  readonly trust?: Trust | undefined;
  /** What the checks of rollouts have found. Absent: nothing was asked. */
  readonly checks?: CheckFacts | undefined;
  /** The run of a job to plan for. Absent: the newest one. */
  readonly run?: number | undefined;
}

export class Situation {
  readonly view: View;
  readonly service: Service;
  readonly nowMs: number;
  readonly mint: Mint;
  readonly faults: PlanFaults;
  /** The versions of secrets and configs that new tasks get. */
  readonly contents: ContentVersions;
  readonly #parts: SituationParts;
  readonly #trust: Trust;
  #waits: { readonly why: string | undefined } | undefined;
  readonly #upToDate: UpToDate;
  readonly #partTasksOf = new Map<ServiceId, ReadonlyMap<TaskId | undefined, Task>>();
  readonly #constraints = new Map<string, readonly Constraint[] | undefined>();

  constructor(view: View, service: Service, parts: SituationParts) {
    const { nowMs, mint, faults, trust = () => true } = parts;
    this.view = view;
    this.service = service;
    this.nowMs = nowMs;
    this.mint = mint;
    this.faults = faults;
    this.#parts = parts;
    this.#trust = faults.has("old-reports-trusted") ? () => true : trust;
    const isForgotten = faults.has("content-forgotten");
    this.contents = isForgotten ? {} : currentContents(view, service.Spec.TaskTemplate);
    this.#upToDate = new UpToDate(service, view);
  }

  /**
   * The most places in one wave of an update, whatever its parallelism. A wave belongs in one plan, where
   * each place takes a few changes. The next plan takes the rest.
   */
  get waveMax(): number {
    return Math.max(1, Math.floor(this.#parts.changesMax / 4));
  }

  /** What the checks of its rollout have found. */
  get checks(): CheckFacts {
    return this.#parts.checks ?? noChecks;
  }

  /** The spec of new tasks. */
  get template(): TaskSpec {
    const { Runtime: _, ...template } = this.service.Spec.TaskTemplate;
    const Networks = template.Networks ?? this.service.Spec.Networks;
    return { ...template, ...(Networks && { Networks }) };
  }

  /** The desired state of its tasks once they may start. */
  get goal(): "running" | "complete" {
    return this.runsToEnd ? "complete" : "running";
  }

  /** Whether a task that ends with success has done its work. */
  get runsToEnd(): boolean {
    return this.isJob || this.isInit;
  }

  /** Whether its tasks are init containers of a pod. */
  get isInit(): boolean {
    return isInit(this.service.Spec.Labels);
  }

  get isJob(): boolean {
    const { Mode } = this.service.Spec;
    return Mode.ReplicatedJob !== undefined || Mode.GlobalJob !== undefined;
  }

  /** Whether a new task starts before the old one stops. */
  get startsFirst(): boolean {
    const { Spec, UpdateStatus } = this.service;
    const rolling = UpdateStatus?.State === "rollback_started";
    const config = rolling ? Spec.RollbackConfig : Spec.UpdateConfig;
    return config?.Order === "start-first";
  }

  /**
   * Whether the successor of a task that must leave its node starts at once. The old one may drain for long, gets no
   * new connections meanwhile, and may run beside a new one.
   */
  get startsBesideLeaving(): boolean {
    const drains = readLabel(drainLabel, this.service.Spec.Labels) !== undefined;
    return drains && this.startsFirst;
  }

  /** Whether new tasks wait for other services: `gam.depends_on`. */
  get mustWait(): boolean {
    if (this.faults.has("order-forgotten")) return false;
    this.#waits ??= { why: waitsFor(this.view, this.service.Spec, this.#trust) };
    return this.#waits.why !== undefined;
  }

  /** Whether new tasks begin prepared, because each waits for something before it may start. */
  get holdsBack(): boolean {
    if (this.mustWait || this.faults.has("init-forgotten")) return this.mustWait;
    return partsOf(this.view, this.service.ID).some(({ Spec }) => isInit(Spec.Labels));
  }

  /** Whether init containers of the task's pod have not completed. */
  waitsForInit(task: Task): boolean {
    if (this.faults.has("init-forgotten")) return false;
    return waitsForInit(this.view, task) !== undefined;
  }

  /** What the next wave of an update waits for; undefined for nothing. A rollback waits for nothing. */
  get updateWaitsFor(): string | undefined {
    if (this.faults.has("order-forgotten")) return undefined;
    if (this.service.UpdateStatus?.State === "rollback_started") return undefined;
    return updateWaitsFor(this.view, this.service.Spec, this.#trust);
  }

  /** The number of the job's run that is planned for; 0 for other services. */
  get iteration(): number {
    return this.#parts.run ?? this.service.JobStatus?.JobIteration.Index ?? 0;
  }

  /** Returns: the same facts for the version of the service that a rollout replaces. */
  ofOldVersion({ base }: Rollout): Situation {
    const { PreviousSpec, Spec, Gam } = this.service;
    const old = { ...(PreviousSpec ?? Spec), Mode: Spec.Mode };
    const then = {
      ...this.service,
      Spec: old,
      Gam: { ...Gam, templateVersion: base, updated: [] },
    };
    return new Situation(this.view, then, this.#parts);
  }

  /** Returns: the same facts for another run of the job. */
  ofRun(run: number): Situation {
    return new Situation(this.view, this.service, { ...this.#parts, run });
  }

  /** Whether the task is as the service wants it, so that an update leaves it alone. */
  isCurrent(task: Task): boolean {
    const node = task.NodeID === undefined ? undefined : this.view.node(task.NodeID);
    return this.#upToDate.includes(task, node);
  }

  /** Whether the node's own properties allow such tasks. Does not look at its free resources. */
  suits(node: Node, spec: TaskSpec): boolean {
    return (
      this.#meets(node, spec.Placement?.Constraints) &&
      matchesPlatform(spec.Placement?.Platforms, node)
    );
  }

  #meets(node: Node, texts: readonly string[] | undefined): boolean {
    if (texts === undefined || texts.length === 0) return true;
    const key = texts.join("\n");
    if (!this.#constraints.has(key)) this.#constraints.set(key, readConstraints(texts));
    return meetsConstraints(this.#constraints.get(key), node);
  }

  standing(task: Task): TaskCondition {
    if (isTerminal(task.Status.State)) {
      return this.faults.has("ended-counts-as-running") ? "live" : "ended";
    }
    if (task.NodeID === undefined) return "live";
    if (this.#mustLeave(task)) return "leaving";
    if (this.view.node(task.NodeID)?.Status.State === "down") return "lost";
    const leads = this.#partTasks(task).some((part) => this.endsPod(part) || this.#drivesOut(part));
    return leads ? "leaving" : "live";
  }

  #mustLeave(task: Task): boolean {
    const node = task.NodeID === undefined ? undefined : this.view.node(task.NodeID);
    if (node === undefined || node.Spec.Availability === "drain") return true;
    if (!this.#meets(node, task.Spec.Placement?.Constraints)) return true;
    return mustYield(task, this.view);
  }

  /** Returns: the newest task of each part of the main task's pod. */
  #partTasks({ ID, ServiceID }: Task): readonly Task[] {
    return partsOf(this.view, ServiceID).flatMap(
      (part) => this.#newestParts(part.ID).get(ID) ?? [],
    );
  }

  /** Returns: the newest task of the part beside each task of its main service. */
  #newestParts(part: ServiceId): ReadonlyMap<TaskId | undefined, Task> {
    let newest = this.#partTasksOf.get(part);
    if (newest === undefined) {
      newest = new Map(this.view.tasksOf(part).map((task) => [task.Gam.pod, task]));
      this.#partTasksOf.set(part, newest);
    }
    return newest;
  }

  /** Whether the part cannot stay on the node of its pod, so that the pod goes. */
  #drivesOut(part: Task): boolean {
    return isWanted(part) && !isTerminal(part.Status.State) && this.#mustLeave(part);
  }

  /** Returns: the part that has ended and takes the main task's pod with it; undefined for none. */
  podEnder(main: Task): Task | undefined {
    return this.#partTasks(main).find((part) => this.endsPod(part));
  }

  /** Whether the task is a part of a pod that has ended by itself, and with which the whole pod is started again. */
  endsPod(part: Task): boolean {
    const spec = this.view.service(part.ServiceID)?.Spec;
    if (readLabel(podRestartLabel, spec?.Labels) !== "together" || !isWanted(part)) return false;
    const main = part.Gam.pod === undefined ? undefined : this.view.task(part.Gam.pod);
    return main !== undefined && endedByItself(part) && podDelayMs(part, main) !== undefined;
  }

  /** Whether the node is down or gone, so that waiting for its reports is no use. */
  isOutOfReach(id: NodeId | undefined): boolean {
    return id === undefined || this.view.node(id)?.Status.State === "down" || !this.view.node(id);
  }
}

/** Returns: the number of the job's run that the task belongs to; 0 for tasks of other services. */
export function runOf({ JobIteration }: Task): number {
  return JobIteration?.Index ?? 0;
}
