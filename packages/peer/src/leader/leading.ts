/**
 * Leading: what a peer does because it leads, and only while it does.
 *
 * Decides in which order the plans are asked, and that one proposal of theirs is under way at a time:
 * the next is planned from a state that has the last one in it. Keeps nothing that matters. A new
 * leader makes a new one, looks at everything once, and goes on where the state stands.
 *
 * One object over which a plan throws or never comes to rest is left alone for a while (restraint.ts); the
 * plans of the others go on.
 */

import type { Configuration } from "@gam/consensus";
import { type Mint, messageOf, type NodeId, type ProposalId } from "@gam/core";
import type { Verdict } from "@gam/membership";
import { Allocator, type AllocatorFaults } from "@gam/network";
import { Orchestrator, type PlanFaults, planVoters, type Seats } from "@gam/orchestrator";
import { planPlacement } from "@gam/scheduler";
import {
  type Change,
  type Event,
  type Node,
  nodesWithoutNextRoot,
  type PlanGuard,
  type Usage,
  type View,
} from "@gam/state";
import { Attendance, type Presence } from "./attendance.ts";
import { Newcomers } from "./newcomers.ts";
import { type Held, type LeadersChange, objectOf, Restraint } from "./restraint.ts";

/** Times that plans wait for (delays, monitors, windows) are looked at this often. */
const lookTicks = 2;
const votersTicks = 4;
/** Changes of one plan at most, so that one entry of the log stays small. */
const changesMaxDefault = 2000;
/** Who wants to remove or demote a node asks again at least so often, until it is not a voter any more. */
const farewellTicks = 40;

export interface LeaderFacts {
  readonly self: NodeId;
  readonly nowMs: number;
  readonly usage: ReadonlyMap<NodeId, Usage>;
  /** Undefined for a peer that nobody has heard of since this one started: it is neither. */
  readonly verdictOf: (
    id: NodeId,
  ) => { readonly verdict: Verdict; readonly reason: string } | undefined;
  readonly configuration: Configuration;
  /** It answers this leader. */
  readonly answers: (id: NodeId) => boolean;
  /** It has the log up to a short while ago. */
  readonly caughtUp: (id: NodeId) => boolean;
  readonly votersMax: number;
  /** A silent voter keeps its vote for so long where nobody can take it over. */
  readonly voteSilenceTicks: number;
}

interface Farewell {
  /** Nobody asks for the removal any more from then on. */
  readonly untilTick: number;
  /** Those that are in the log. */
  readonly removals: Set<ProposalId>;
}

/** Only simulations plant any. */
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
  #ticks = 0;
  /** Smaller while tasks are so large that plans of the default size do not fit into an entry. */
  #changesMax = changesMaxDefault;
  /** The state for which there was nothing to place. */
  #placedIndex = 0;
  readonly #attendance = new Attendance();
  /** Nodes whose removal was asked for. They get no vote meanwhile. */
  readonly #leaving = new Map<NodeId, Farewell>();

  constructor(mint: Mint, faults: LeaderFaults = {}) {
    this.#orchestrator = new Orchestrator(mint, faults.orchestrator);
    this.#orchestrator.noticeAll();
    this.#allocator = new Allocator(faults.allocator);
  }

  /** `planned`: the leader's own plans have made these. */
  notice(events: readonly Event[], planned = false): void {
    if (!planned) this.#restraint.moved(events);
    for (const event of events) {
      this.#orchestrator.notice(event);
      this.#allocator.notice(event);
      if (event.table !== "node" || event.after === undefined) continue;
      // It joined, or was promoted. What was said of it before is over.
      const wasManager = event.before?.Spec.Role === "manager";
      if (!wasManager && event.after.Spec.Role === "manager") this.#leaving.delete(event.after.ID);
    }
    if (events.length > 0) this.#dirty = true;
  }

  /** Something that is not in the state has changed: a verdict, a usage. */
  stir(): void {
    this.#dirty = true;
  }

  tick(): void {
    this.#ticks += 1;
    this.#newcomers.tick();
    if (this.#restraint.tick()) {
      this.#placedIndex = 0;
      this.#dirty = true;
    }
    if (this.#ticks % lookTicks === 0) this.#dirty = true;
    if (this.#ticks % votersTicks === 0) this.#votersDue = true;
    for (const [id, { untilTick, removals }] of this.#leaving) {
      if (removals.size === 0 && this.#ticks >= untilTick) this.#leaving.delete(id);
    }
  }

  /**
   * Whether a node must not be removed or demoted yet, because it votes: whoever is removed is cut off, who is
   * demoted is not listened to as a leader, and its vote may be needed to elect its replacement. Calling
   * this starts the replacement.
   */
  mustStay(
    id: NodeId,
    { voters, votersOutgoing }: Configuration,
    proposal: ProposalId | undefined,
  ): boolean {
    const votes = voters.includes(id) || votersOutgoing.includes(id);
    const removals = this.#leaving.get(id)?.removals ?? new Set();
    // Once it is in the log it may be committed at any time, until it is settled.
    if (votes) this.#votersDue = true;
    else if (proposal !== undefined) removals.add(proposal);
    this.#leaving.set(id, { untilTick: this.#ticks + farewellTicks, removals });
    return votes;
  }

  /** It was applied or refused, or is lost on its way into the log. `logged`: it came there. */
  settle(id: ProposalId, logged = true): void {
    if (this.#underWay?.id === id) {
      if (logged) this.#restraint.settled(this.#underWay.changes);
      this.#underWay = undefined;
    }
    for (const [node, { removals }] of this.#leaving) {
      if (removals.delete(id) && removals.size === 0) this.#leaving.delete(node);
    }
  }

  /** Objects that the plans have begun to leave alone since this was asked last. */
  takeHeld(): readonly Held[] {
    return this.#restraint.takeNews();
  }

  /** Whether there may be something to plan or to tell. Most steps of a leader are an answer to a heartbeat. */
  get isDue(): boolean {
    const plans = this.#dirty && this.#underWay === undefined;
    return plans || this.#votersDue || this.#restraint.hasNews;
  }

  /** What to propose now, as one proposal; nothing while the last one is under way. */
  plan(view: View, facts: LeaderFacts): readonly LeadersChange[] {
    if (this.#underWay !== undefined || !this.#dirty) return [];
    this.#dirty = false;
    const verdicts = new Map<NodeId, { verdict: Verdict; reason: string }>();
    for (const { ID } of view.nodes()) {
      const verdict = facts.verdictOf(ID);
      if (verdict !== undefined) verdicts.set(ID, verdict);
    }
    const { nowMs, usage } = facts;
    const changesMax = this.#changesMax;
    const publicKey = view.cluster?.NextRoot?.PublicKey;
    const guard = this.#guard;
    const isRooted = publicKey !== undefined && nodesWithoutNextRoot(view).length === 0;
    const rooted: LeadersChange[] = isRooted ? [{ kind: "endRootRotation", publicKey }] : [];
    const plans = [
      () => rooted,
      () => this.#farewells(view, facts),
      () => this.#orchestrator.plan(view, { nowMs, verdicts, changesMax, guard }),
    ];
    for (const plan of plans) {
      const changes = this.#restraint.admit(this.#ask(plan));
      if (changes.length > 0) return changes;
    }
    // Time alone makes no room anywhere, and gives no address back.
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

  /** Members that were let in and never spoke, once they do not vote. */
  #farewells(view: View, facts: LeaderFacts): readonly LeadersChange[] {
    const answers = (id: NodeId): boolean => facts.verdictOf(id)?.verdict === "alive";
    return this.#newcomers
      .plan(view, facts.nowMs, answers)
      .filter((id) => !this.mustStay(id, facts.configuration, undefined))
      .map((id) => ({ kind: "removeNode", id, onlyIf: "undescribed" }));
  }

  /** What a plan says. One that throws as a whole says nothing this time. */
  #ask<T>(plan: () => readonly T[]): readonly T[] {
    try {
      return plan();
    } catch (thrown) {
      // Catches all: what stands in the state must not end every leader, one after the other.
      this.#restraint.failed("plan", messageOf(thrown));
      return [];
    }
  }

  /** The plan does not fit into an entry of the log. The next one is smaller, or without these objects. */
  tooLarge(changes: readonly LeadersChange[]): void {
    this.#dirty = true;
    if (this.#changesMax === 1) {
      for (const change of changes) this.unfit(change, "the change fits into no entry of the log");
    }
    this.#changesMax = Math.ceil(this.#changesMax / 2);
  }

  /** A change that no peer would take. */
  unfit(change: LeadersChange, why: string): void {
    this.#dirty = true;
    this.#restraint.failed(objectOf(change), why);
  }

  /** The plan was put into the log under this id. */
  proposed(id: ProposalId, changes: readonly LeadersChange[]): void {
    this.#underWay = { id, changes };
  }

  /** Who should vote and stand by, when that is not who does. A node's engine has no part in it. */
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

/** An agent that refuses does not answer, however soon it may be back. */
function presenceOf(id: NodeId, facts: LeaderFacts): Presence {
  const verdict = facts.verdictOf(id)?.verdict;
  const answers = (verdict ?? "alive") === "alive" && facts.answers(id);
  return { answers, fit: answers && facts.caughtUp(id), lost: verdict === "lost" };
}

/** Nodes that these changes remove or demote. */
export function losers(changes: readonly Change[], view: View): readonly NodeId[] {
  return changes.flatMap((change): NodeId[] => {
    if (change.kind === "removeNode") return [change.id];
    if (change.kind !== "updateNode" || change.spec.Role === "manager") return [];
    return view.node(change.id)?.Spec.Role === "manager" ? [change.id] : [];
  });
}

/** It goes on learning, so that it hears of its own removal. */
function voteless(node: Node): Node {
  return { ...node, Spec: { ...node.Spec, Role: "worker" } };
}
