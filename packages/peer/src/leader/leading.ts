/**
 * Leading: what a peer does only while it leads.
 *
 * Decides the order in which the plans are asked, and that only one of their proposals is in flight: the next
 * plan needs a state that contains the last one. Keeps nothing that matters: a new leader creates a new
 * instance, looks at everything once, and continues from the state.
 *
 * If a plan throws on an object, or never stops changing it, the plans leave that object alone for a while
 * (restraint.ts). They go on with the other objects.
 */

import type { Configuration } from "@gam/consensus";
import { type Mint, messageOf, type NodeId, type ProposalId } from "@gam/core";
import type { Verdict } from "@gam/membership";
import { Allocator, type AllocatorFaults } from "@gam/network";
import {
  isRebalancing,
  Orchestrator,
  type PlanFaults,
  planAutoscale,
  planRebalance,
  planVoters,
  type Seats,
} from "@gam/orchestrator";
import { planPlacement } from "@gam/scheduler";
import {
  type Change,
  type Event,
  type HttpAnswer,
  type Node,
  nodesWithoutNextRoot,
  type PlanGuard,
  type Task,
  type Trust,
  type Usage,
  type View,
} from "@gam/state";
import { Asking, type LeaderAsk } from "./asking.ts";
import { Attendance, type Presence } from "./attendance.ts";
import { Heat } from "./heat.ts";
import { Loads } from "./loads.ts";
import { Newcomers } from "./newcomers.ts";
import { type Held, type LeadersChange, objectOf, Restraint } from "./restraint.ts";

/** Plans wait for times (delays, monitors, windows): they are asked again this often. */
const lookTicks = 2;
const votersTicks = 4;
/** 15 s: the pace that autoscaling's rules are made for. */
const autoscaleTicks = 300;
/** 2 s while tasks are moved; while nothing moves, at the pace of autoscaling. */
const rebalanceTicks = 40;
/** Maximum of changes in one plan, so that one log entry stays small. */
const changesMaxDefault = 2000;
/** A peer that wants to remove or demote a voter retries at least this often until the node has no vote. */
const farewellTicks = 40;

export interface LeaderFacts {
  readonly self: NodeId;
  readonly nowMs: number;
  readonly usage: ReadonlyMap<NodeId, Usage>;
  /** Undefined for a peer that has not been heard since this one started: neither alive nor lost. */
  readonly verdictOf: (
    id: NodeId,
  ) => { readonly verdict: Verdict; readonly reason: string } | undefined;
  readonly configuration: Configuration;
  /** Whether it answers this leader. */
  readonly answers: (id: NodeId) => boolean;
  /** Whether its log is nearly caught up. */
  readonly caughtUp: (id: NodeId) => boolean;
  /** Whether a node has accounted for its tasks: see accounts.ts. */
  readonly trust: Trust;
  readonly votersMax: number;
  /** How long a silent voter keeps its vote when no other peer can take it over. */
  readonly voteSilenceTicks: number;
}

interface Farewell {
  /** The request to remove the node expires at this tick. */
  readonly untilTick: number;
  /** The removals that are in the log. */
  readonly removals: Set<ProposalId>;
}

/** Only simulations set these. */
export interface LeaderFaults {
  readonly orchestrator?: PlanFaults | undefined;
  readonly allocator?: AllocatorFaults | undefined;
}

export class Leading {
  readonly #orchestrator: Orchestrator;
  readonly #allocator: Allocator;
  readonly #newcomers = new Newcomers();
  readonly #restraint = new Restraint();
  readonly #guard: PlanGuard = {
    skips: (id) => this.#restraint.holds(id),
    failed: (id, thrown) => this.#restraint.failed(id, messageOf(thrown)),
  };
  #underWay: { readonly id: ProposalId; readonly changes: readonly LeadersChange[] } | undefined;
  #dirty = true;
  #votersDue = false;
  #autoscaleDue = false;
  #rebalanceDue = false;
  #movesDue = false;
  readonly #loads = new Loads();
  readonly #asking = new Asking();
  readonly #heat = new Heat();
  readonly #mint: Mint;
  #ticks = 0;
  /** Reduced while tasks are so large that a plan of the default size does not fit into a log entry. */
  #changesMax = changesMaxDefault;
  /** Index of the state in which there was nothing to allocate or place. */
  #placedIndex = 0;
  readonly #attendance = new Attendance();
  /** Nodes to be removed or demoted. They get no vote meanwhile. */
  readonly #leaving = new Map<NodeId, Farewell>();

  constructor(mint: Mint, faults: LeaderFaults = {}) {
    this.#mint = mint;
    this.#orchestrator = new Orchestrator(mint, faults.orchestrator);
    this.#orchestrator.noticeAll();
    this.#allocator = new Allocator(faults.allocator);
  }

  /** `planned`: the leader's own plans made these changes. */
  notice(events: readonly Event[], planned = false): void {
    if (!planned) this.#restraint.moved(events);
    for (const event of events) {
      this.#orchestrator.notice(event);
      this.#allocator.notice(event);
      if (event.table !== "node" || event.after === undefined) continue;
      // It joined or was promoted, so an earlier request to remove or demote it is obsolete.
      const wasManager = event.before?.Spec.Role === "manager";
      if (!wasManager && event.after.Spec.Role === "manager") this.#leaving.delete(event.after.ID);
    }
    if (events.length > 0) this.#dirty = true;
  }

  /** Something outside the state has changed: a verdict, a usage. */
  stir(): void {
    this.#dirty = true;
  }

  tick(): void {
    this.#ticks += 1;
    this.#newcomers.tick();
    this.#asking.tick();
    if (this.#restraint.tick()) {
      this.#placedIndex = 0;
      this.#dirty = true;
    }
    if (this.#ticks % lookTicks === 0) this.#dirty = true;
    if (this.#ticks % votersTicks === 0) this.#votersDue = true;
    if (this.#ticks % rebalanceTicks === 0) this.#rebalanceDue = true;
    if (this.#ticks % autoscaleTicks === 0) {
      this.#autoscaleDue = true;
      this.#movesDue = true;
    }
    for (const [id, { untilTick, removals }] of this.#leaving) {
      if (removals.size === 0 && this.#ticks >= untilTick) this.#leaving.delete(id);
    }
  }

  /**
   * Whether a node must not be removed or demoted yet, because it votes. A removed node is cut off, and peers
   * ignore a demoted node as a leader; but its vote may be needed to elect its replacement. Calling this starts
   * the replacement.
   */
  mustStay(
    id: NodeId,
    { voters, votersOutgoing }: Configuration,
    proposal: ProposalId | undefined,
  ): boolean {
    const votes = voters.includes(id) || votersOutgoing.includes(id);
    const removals = this.#leaving.get(id)?.removals ?? new Set();
    // A removal in the log may be committed at any time, so remember it until it is settled.
    if (votes) this.#votersDue = true;
    else if (proposal !== undefined) removals.add(proposal);
    this.#leaving.set(id, { untilTick: this.#ticks + farewellTicks, removals });
    return votes;
  }

  /** The proposal was applied, refused, or lost before it got into the log. `logged`: it was in the log. */
  settle(id: ProposalId, logged = true): void {
    if (this.#underWay?.id === id) {
      if (logged) this.#restraint.settled(this.#underWay.changes);
      this.#underWay = undefined;
    }
    for (const [node, { removals }] of this.#leaving) {
      if (removals.delete(id) && removals.size === 0) this.#leaving.delete(node);
    }
  }

  /** Returns: whom to ask by HTTP now. Give the answers to heard(). */
  takeAsks(view: View): readonly LeaderAsk[] {
    return this.#ask(() => this.#asking.take(view));
  }

  heard(id: number, answer: HttpAnswer): void {
    this.#asking.heard(id, answer);
    this.#dirty = true;
  }

  /** Returns: objects that the plans have started to leave alone since the last call. */
  takeHeld(): readonly Held[] {
    return this.#restraint.takeNews();
  }

  /**
   * Whether there may be something to plan or to report. Cheap, since most steps of a leader handle heartbeat
   * answers.
   */
  get isDue(): boolean {
    const plans = this.#dirty && this.#underWay === undefined;
    return plans || this.#votersDue || this.#restraint.hasNews;
  }

  /** Returns: what to propose now, as one proposal; nothing while the last one is in flight. */
  plan(view: View, facts: LeaderFacts): readonly LeadersChange[] {
    if (this.#underWay !== undefined || !this.#dirty) return [];
    this.#dirty = false;
    const verdicts = new Map<NodeId, { verdict: Verdict; reason: string }>();
    for (const { ID } of view.nodes()) {
      const verdict = facts.verdictOf(ID);
      if (verdict !== undefined) verdicts.set(ID, verdict);
    }
    const { nowMs, usage, trust } = facts;
    const checks = this.#asking.checksIn(usage);
    const changesMax = this.#changesMax;
    const publicKey = view.cluster?.NextRoot?.PublicKey;
    const guard = this.#guard;
    const isRooted = publicKey !== undefined && nodesWithoutNextRoot(view).length === 0;
    const rooted: LeadersChange[] = isRooted ? [{ kind: "endRootRotation", publicKey }] : [];
    const plans = [
      () => rooted,
      () => this.#farewells(view, facts),
      () => this.#orchestrator.plan(view, { nowMs, verdicts, trust, checks, changesMax, guard }),
      () => this.#autoscale(view, facts),
      () => this.#rebalance(view, facts),
    ];
    for (const plan of plans) {
      const changes = this.#restraint.admit(this.#ask(plan));
      if (changes.length > 0) return changes;
    }
    // Allocation and placement depend on the state only: time alone frees no resources and no address.
    if (this.#placedIndex === view.index) return [];
    const allocated = this.#restraint.admit(
      this.#ask(() => this.#allocator.plan(view, { nowMs, changesMax, guard })),
    );
    if (allocated.length > 0) return allocated;
    const placements = this.#ask(() => {
      const reaches = this.#allocator.reach(view);
      const placed = planPlacement(view, { usage, nowMs, changesMax, reaches, guard });
      return this.#allocator.withBridges(view, placed, { nowMs, guard });
    });
    const planned = this.#restraint.admit(placements);
    if (planned.length > 0) return planned;
    this.#placedIndex = view.index;
    this.#changesMax = changesMaxDefault;
    return [];
  }

  #autoscale(view: View, { nowMs, usage }: LeaderFacts): readonly LeadersChange[] {
    if (!this.#autoscaleDue) return [];
    this.#autoscaleDue = false;
    this.#loads.look(usage);
    const loadOf = (task: Task) => this.#loads.of(task);
    const totalOf = this.#asking.totalOf.bind(this.#asking);
    return planAutoscale(view, { nowMs, loadOf, totalOf, guard: this.#guard });
  }

  #rebalance(view: View, { nowMs, usage }: LeaderFacts): readonly LeadersChange[] {
    if (!this.#rebalanceDue) return [];
    this.#rebalanceDue = false;
    const memory = view.cluster?.Rebalance;
    if (this.#movesDue) this.#heat.look(usage);
    const isDue = this.#movesDue || memory?.isAsked === true || (memory?.open ?? []).length > 0;
    this.#movesDue = false;
    if (memory === undefined || !isDue || !isRebalancing(memory)) return [];
    const { hot } = this.#heat;
    const reaches = this.#allocator.reach(view);
    const facts = { nowMs, usage, hot, reaches, mint: this.#mint, guard: this.#guard };
    return planRebalance(view, facts);
  }

  /** Removes members that joined and never spoke, once they have no vote. */
  #farewells(view: View, facts: LeaderFacts): readonly LeadersChange[] {
    const answers = (id: NodeId): boolean => facts.verdictOf(id)?.verdict === "alive";
    return this.#newcomers
      .plan(view, facts.nowMs, answers)
      .filter((id) => !this.mustStay(id, facts.configuration, undefined))
      .map((id) => ({ kind: "removeNode", id, onlyIf: "undescribed" }));
  }

  /** Asks a plan. A plan that throws as a whole gives no changes this time. */
  #ask<T>(plan: () => readonly T[]): readonly T[] {
    try {
      return plan();
    } catch (thrown) {
      // Catches all: a bad object in the state must not end one leader after the other.
      this.#restraint.failed("plan", messageOf(thrown));
      return [];
    }
  }

  /** The plan does not fit into a log entry: the next one is smaller, or leaves these objects out. */
  tooLarge(changes: readonly LeadersChange[]): void {
    this.#dirty = true;
    if (this.#changesMax === 1) {
      for (const change of changes) this.unfit(change, "the change does not fit into a log entry");
    }
    this.#changesMax = Math.ceil(this.#changesMax / 2);
  }

  /** No peer would accept this change: leave its object alone. */
  unfit(change: LeadersChange, why: string): void {
    this.#dirty = true;
    this.#restraint.failed(objectOf(change), why);
  }

  /** The plan was put into the log under this id. */
  proposed(id: ProposalId, changes: readonly LeadersChange[]): void {
    this.#underWay = { id, changes };
  }

  /**
   * Returns: the wanted voters and standbys, if they differ from the present ones. A node's engine does not
   *         matter.
   */
  planVoters(view: View, facts: LeaderFacts): Seats | undefined {
    if (!this.#votersDue) return undefined;
    this.#votersDue = false;
    const [wanted] = this.#ask(() => [this.#wantedVoters(view, facts)]);
    return wanted;
  }

  #wantedVoters(view: View, facts: LeaderFacts): Seats | undefined {
    const { configuration, self, votersMax } = facts;
    const { voters } = configuration;
    const attendance = this.#attendance;
    const nodes = view.nodes();
    const managers = nodes.filter(({ Spec }) => Spec.Role === "manager").map(({ ID }) => ID);
    attendance.look(this.#ticks, [...managers, ...voters], (id) => presenceOf(id, facts));
    return planVoters({
      configuration,
      self,
      nodes: nodes.map((node) => (this.#leaving.has(node.ID) ? voteless(node) : node)),
      answers: (id) => attendance.answers(id),
      fit: (id) => (voters.includes(id) ? attendance.fit(id) : presenceOf(id, facts).fit),
      keepsVote: (id) => attendance.unfitTicks(id) < facts.voteSilenceTicks,
      votersMax,
    });
  }
}

/** An agent that refuses connections counts as not answering, however soon it may be back. */
function presenceOf(id: NodeId, facts: LeaderFacts): Presence {
  const verdict = facts.verdictOf(id)?.verdict;
  const answers = (verdict ?? "alive") === "alive" && facts.answers(id);
  return { answers, fit: answers && facts.caughtUp(id), lost: verdict === "lost" };
}

/** Returns: nodes that these changes remove or demote. */
export function losers(changes: readonly Change[], view: View): readonly NodeId[] {
  return changes.flatMap((change): NodeId[] => {
    if (change.kind === "removeNode") return [change.id];
    if (change.kind !== "updateNode" || change.spec.Role === "manager") return [];
    return view.node(change.id)?.Spec.Role === "manager" ? [change.id] : [];
  });
}

/** The node stays a learner, so that it learns of its own removal. */
function voteless(node: Node): Node {
  return { ...node, Spec: { ...node.Spec, Role: "worker" } };
}
