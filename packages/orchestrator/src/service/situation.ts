/**
 * Situation: one service and what its plans have to know about it.
 *
 * Answers the questions that all of them ask: is this task up to date, and what has become of the node
 * that it is on. Decides nothing. Made anew for each plan, from one view.
 */
import type { Mint, NodeId } from "@gam/core";
import {
  type Constraint,
  isTerminal,
  matchesPlatform,
  meetsConstraints,
  type Node,
  readConstraints,
  type Service,
  type Task,
  type TaskSpec,
  UpToDate,
  type View,
} from "@gam/state";
import type { PlanFaults } from "./fault.ts";

/**
 * Where a task stands whose end was not wished for.
 *
 * ended    it has ended by itself
 * leaving  it must leave its node at once: drained, removed, or its constraints hold there no more
 * lost     its node is down and may come back with it
 * live     anything else, also without a node
 */
export type TaskCondition = "ended" | "leaving" | "lost" | "live";

export interface SituationParts {
  readonly nowMs: number;
  readonly mint: Mint;
  readonly faults: PlanFaults;
  /** Changes of one plan at most, about. */
  readonly changesMax: number;
}

export class Situation {
  readonly view: View;
  readonly service: Service;
  readonly nowMs: number;
  readonly mint: Mint;
  readonly faults: PlanFaults;
  readonly #changesMax: number;
  readonly #upToDate: UpToDate;
  readonly #constraints = new Map<string, readonly Constraint[] | undefined>();

  constructor(view: View, service: Service, parts: SituationParts) {
    const { nowMs, mint, faults, changesMax } = parts;
    this.view = view;
    this.service = service;
    this.nowMs = nowMs;
    this.mint = mint;
    this.faults = faults;
    this.#changesMax = changesMax;
    this.#upToDate = new UpToDate(service);
  }

  /**
   * Places of one wave of an update at most, however many may be replaced at once: they belong together
   * in one plan, in which each takes a few changes. The next plan takes the rest.
   */
  get waveMax(): number {
    return Math.max(1, Math.floor(this.#changesMax / 4));
  }

  /** The spec of tasks made now. */
  get template(): TaskSpec {
    const { Runtime: _, ...template } = this.service.Spec.TaskTemplate;
    const Networks = template.Networks ?? this.service.Spec.Networks;
    return { ...template, ...(Networks && { Networks }) };
  }

  /** What is wished for its tasks once they may start. */
  get goal(): "running" | "complete" {
    return this.isJob ? "complete" : "running";
  }

  get isJob(): boolean {
    const { Mode } = this.service.Spec;
    return Mode.ReplicatedJob !== undefined || Mode.GlobalJob !== undefined;
  }

  /** What replaces a task runs before that one goes. */
  get startsFirst(): boolean {
    const { Spec, UpdateStatus } = this.service;
    const rolling = UpdateStatus?.State === "rollback_started";
    const config = rolling ? Spec.RollbackConfig : Spec.UpdateConfig;
    return config?.Order === "start-first";
  }

  /** Which run of a job it is; 0 for what is none. */
  get iteration(): number {
    return this.service.JobStatus?.JobIteration.Index ?? 0;
  }

  /** The task is as the service wants it, so an update leaves it alone. */
  isCurrent(task: Task): boolean {
    const node = task.NodeID === undefined ? undefined : this.view.node(task.NodeID);
    return this.#upToDate.includes(task, node);
  }

  /** The node's own properties allow such tasks, whatever room it has. */
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
    const node = this.view.node(task.NodeID);
    if (node === undefined || node.Spec.Availability === "drain") return "leaving";
    if (!this.#meets(node, task.Spec.Placement?.Constraints)) return "leaving";
    return node.Status.State === "down" ? "lost" : "live";
  }

  /** Nothing is to be heard of this node: what it does, if anything, nobody can wait for. */
  isOutOfReach(id: NodeId | undefined): boolean {
    return id === undefined || this.view.node(id)?.Status.State === "down" || !this.view.node(id);
  }
}
