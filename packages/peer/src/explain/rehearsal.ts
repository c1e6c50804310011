/**
 * Rehearsal: what would happen if changes were written now.
 *
 * Applies them to a copy of the state, and runs the leader's plans on it until nothing is left to do. Time is
 * virtual. Every task starts and stops at once and stays well, and no host fails: what depends on that is not
 * foreseen. Everything else is decided by the plans that a leader uses.
 *
 *   propose(changes)   as often as needed; each sees what the earlier ones have written
 *   finish()           once, at the end
 */
import { assert, type Mint, type NodeId, type ProposalId, type ServiceId } from "@gam/core";
import { Allocator } from "@gam/network";
import { type CheckFacts, Orchestrator } from "@gam/orchestrator";
import { planPlacement } from "@gam/scheduler";
import {
  type Change,
  compareStates,
  type Event,
  isTerminal,
  isWanted,
  type Outcome,
  Store,
  type Task,
  type TaskState,
  type Usage,
  type View,
} from "@gam/state";
import type { PlanReport } from "@gam/state/answers";
import {
  changedServices,
  objectChanges,
  type PlanState,
  planStateOf,
  taskChanges,
} from "./plan-changes.ts";

export interface RehearsalFacts {
  readonly usage: ReadonlyMap<NodeId, Usage>;
  readonly nowMs: number;
}

/** Virtual time between two plans while something moves; doubled while only time can help. */
const stepMs = 50;
/** The longest delay of an update that is waited for. */
const idleMsMax = 7 * 24 * 3_600_000;
/** Updates that take longer are not followed to their end. */
const horizonMs = 30 * 24 * 3_600_000;
/** Log entries of one rehearsal. A plan that never ends must not hold up the agent. */
const entriesMax = 20_000;

export class Rehearsal {
  readonly #before: PlanState;
  readonly #store: Store;
  readonly #usage: ReadonlyMap<NodeId, Usage>;
  readonly #allocator = new Allocator();
  readonly #orchestrator: Orchestrator;
  #nowMs: number;
  readonly #untilMs: number;
  #entries = 0;

  constructor(view: View, { usage, nowMs }: RehearsalFacts) {
    this.#before = planStateOf(view);
    this.#store = Store.like(view);
    this.#usage = usage;
    this.#nowMs = nowMs;
    this.#untilMs = nowMs + horizonMs;
    this.#orchestrator = new Orchestrator(rehearsedIds());
    this.#orchestrator.noticeAll();
  }

  get view(): View {
    return this.#store;
  }

  /** Applies the changes, and gives networks and services their addresses, as the leader does at once. */
  propose(changes: readonly Change[]): Outcome {
    const outcome = this.#write(changes);
    for (let again = outcome.kind === "applied"; again; ) again = this.#allocate();
    return outcome;
  }

  /** Settles, and says what is different from the state at the beginning. Call it once. */
  finish(): PlanReport {
    const written = planStateOf(this.#store);
    const services = changedServices(this.#before, written);
    const isComplete = this.settle(new Set(services));
    const objects = objectChanges(this.#before, written);
    const tasks = services.map((id) => taskChanges(id, this.#before, this.#store));
    return { objects, tasks, isComplete };
  }

  /**
   * Runs the plans until these services are as they are wanted, or nothing more can be done.
   *
   * Returns: false when that takes longer than can be rehearsed.
   */
  settle(services: ReadonlySet<ServiceId>): boolean {
    let waitMs = stepMs;
    while (this.#entries < entriesMax && this.#nowMs < this.#untilMs) {
      if (this.#plan() || this.#work()) {
        waitMs = stepMs;
        this.#nowMs += stepMs;
        continue;
      }
      const isMoving = [...services].some((id) => this.#isMoving(id));
      // An update of which nothing moves for so long waits for a node.
      if (!isMoving || waitMs > idleMsMax) return true;
      this.#nowMs += waitMs;
      waitMs *= 2;
    }
    return false;
  }

  #write(changes: readonly Change[]): Outcome {
    this.#entries += 1;
    const id = `rehearsed${this.#entries}` as ProposalId;
    const { outcome, events } = this.#store.apply(this.#store.index + 1, {
      ...{ id, atMs: this.#nowMs, changes },
    });
    for (const event of events) this.#notice(event);
    return outcome;
  }

  #notice(event: Event): void {
    this.#orchestrator.notice(event);
    this.#allocator.notice(event);
  }

  /** Asks the plans in the order in which a leader does. Returns: whether one of them had changes. */
  #plan(): boolean {
    const nowMs = this.#nowMs;
    const facts = { nowMs, verdicts: new Map(), checks: allWell };
    const changes = this.#orchestrator.plan(this.#store, facts);
    if (changes.length > 0) return this.#done(changes);
    return this.#allocate() || this.#place();
  }

  #allocate(): boolean {
    return this.#done(this.#allocator.plan(this.#store, { nowMs: this.#nowMs }));
  }

  #place(): boolean {
    const [nowMs, usage] = [this.#nowMs, this.#usage];
    const reaches = this.#allocator.reach(this.#store);
    const placed = planPlacement(this.#store, { usage, nowMs, reaches });
    return this.#done(this.#allocator.withBridges(this.#store, placed, { nowMs }));
  }

  #done(changes: readonly Change[]): boolean {
    if (changes.length === 0) return false;
    const outcome = this.#write(changes);
    assert(
      outcome.kind === "applied",
      "the plans of a leader fit the state that they were made for",
    );
    return true;
  }

  /** Moves each task of a host that answers as far as it may go. Returns: whether one has moved. */
  #work(): boolean {
    const changes = this.#store.tasks().flatMap((task): Change[] => {
      const State = this.#nextState(task);
      if (State === undefined) return [];
      const status = { Timestamp: new Date(this.#nowMs).toISOString(), State, Message: State };
      return [{ kind: "reportTask", id: task.ID, status }];
    });
    return this.#done(changes);
  }

  #nextState({ Status, DesiredState, NodeID, ...rest }: Task): TaskState | undefined {
    if (NodeID === undefined || isTerminal(Status.State)) return undefined;
    if (this.#store.node(NodeID)?.Status.State !== "ready") return undefined;
    if (!isWanted({ ...rest, DesiredState })) return "shutdown";
    if (compareStates(Status.State, "assigned") < 0) return undefined;
    if (DesiredState === "ready") return Status.State === "ready" ? undefined : "ready";
    if (Status.State !== "running") return "running";
    return DesiredState === "complete" ? "complete" : undefined;
  }

  /** Whether the service is being updated, or has a task on its way that time alone can move. */
  #isMoving(id: ServiceId): boolean {
    const service = this.#store.service(id);
    const state = service?.UpdateStatus?.State;
    if (state === "updating" || state === "rollback_started") return true;
    return this.#store.tasksOf(id).some(({ DesiredState, Status }) => {
      return DesiredState === "ready" && !isTerminal(Status.State);
    });
  }
}

/** What is started stays well, so the checks of rollouts pass. */
const allWell: CheckFacts = {
  taskCheck: () => ({ failures: 0, reason: "" }),
  serviceAnswer: () => ({ failures: 0, reason: "", isKnown: true }),
};

/** Ids that no object of a real state has: those are random. */
function rehearsedIds(): Mint {
  let count = 0;
  return {
    id: () => {
      count += 1;
      return `rehearsed${String(count).padStart(16, "0")}`;
    },
  };
}
