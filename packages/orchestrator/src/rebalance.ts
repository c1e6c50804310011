/**
 * Rebalance: when tasks are moved to nodes that suit them better, and how many at a time.
 *
 * A move is a new task on the other node that takes over when it runs (task-slot.ts). At most `atOnce` moves are
 * under way, of different services, and the next begins some time after the last has ended. A move that fails
 * ends the rebalancing: at once if a person asked for it, and for an hour if the cluster does it by itself.
 *
 * Which moves are worth it is decided by the scheduler (planMoves). All that is remembered is in the cluster's
 * object, with the identity of both tasks, so another leader goes on with moves that are under way.
 */
import type { Mint, NodeId, TaskId } from "@gam/core";
import { planMoves, type RebalanceFacts } from "@gam/scheduler";
import {
  isTerminal,
  isWaiting,
  isWanted,
  noRebalance,
  type OpenMove,
  type PastMove,
  type PlannedChange,
  pastMovesMax,
  type RebalanceMemory,
  type RebalanceMove,
  type View,
} from "@gam/state";
import { hasPassed } from "./service/elapsed.ts";
import { noPlanFaults } from "./service/fault.ts";
import { createTask } from "./service/new-task.ts";
import { dismiss } from "./service/reap.ts";
import { Situation } from "./service/situation.ts";

export interface RebalancingFacts
  extends Pick<RebalanceFacts, "usage" | "hot" | "reaches" | "guard"> {
  readonly nowMs: number;
  readonly mint: Mint;
}

const atOnce = 2;
/** Pause after the end of a move: its task has shown that it stays up, and usage has had time to follow. */
const pauseMs = 10_000;
/** A new task that does not run by then has failed. */
const moveMsMax = 300_000;
/** By itself the cluster moves no task that is younger, so that nothing moves twice in a short time. */
const settledMs = 300_000;
/** By itself the cluster goes on this long after a failure, and nobody moves that service there meanwhile. */
const restMs = 3_600_000;

export function isRebalancing({ auto, isAsked, open }: RebalanceMemory): boolean {
  return auto || isAsked || open.length > 0;
}

export function planRebalance(view: View, facts: RebalancingFacts): PlannedChange[] {
  const memory = view.cluster?.Rebalance ?? noRebalance;
  if (!isRebalancing(memory)) return [];
  const { nowMs } = facts;
  const looked = memory.open.map((move) => look(view, move, nowMs));
  const ended = looked.flatMap(({ end }) => end ?? []);
  const open = memory.open.filter((_, index) => looked[index]?.end === undefined);
  const aborted = looked.flatMap(({ changes }) => changes);
  const past = [...memory.past, ...ended].slice(-pastMovesMax);
  const failed = looked.find(({ isFailure }) => isFailure)?.end;
  const stopped = failed && { atMs: nowMs, reason: failed.problem };
  if (stopped !== undefined) {
    return [...aborted, note(memory, { open, past, isAsked: false, stopped })];
  }
  const begun = mayBegin(memory, past, nowMs) ? begin(view, { ...memory, open, past }, facts) : [];
  const isOver = memory.isAsked && begun.length === 0 && open.length === 0 && ended.length === 0;
  const isPausing = !hasPassed(nowMs, { sinceMs: lastEndMs(past), waitMs: pauseMs });
  if (begun.length === 0 && ended.length === 0 && (!isOver || isPausing)) return [];
  const moves = begun.map(({ move }) => move);
  const isAsked = memory.isAsked && !isOver;
  // By itself it goes on after a failure: the reason is old news once a move has begun.
  const kept = moves.length > 0 ? undefined : memory.stopped;
  return [
    ...aborted,
    ...begun.map(({ change }) => change),
    note(memory, { open: [...open, ...moves], past, isAsked, stopped: kept }),
  ];
}

function note(
  { serial }: RebalanceMemory,
  now: Pick<RebalanceMemory, "open" | "past" | "isAsked" | "stopped">,
): PlannedChange {
  return { kind: "noteRebalance", basedOn: serial, ...now };
}

// The end of a move

interface Look {
  /** Absent while the move is under way. */
  readonly end?: PastMove;
  readonly isFailure: boolean;
  readonly changes: readonly PlannedChange[];
}

function look(view: View, move: OpenMove, nowMs: number): Look {
  const successor = view.task(move.successor);
  const source = view.task(move.task);
  const ends = (problem: string, isFailure: boolean, changes: PlannedChange[] = []): Look => {
    return { end: { ...move, endedAtMs: nowMs, problem }, isFailure, changes };
  };
  const isStaying = source !== undefined && isWanted(source) && !isTerminal(source.Status.State);
  // It was made for this node alone, which may never take it. Its place gets a task that may go anywhere.
  const unplaced = successor && isWaiting(successor) ? [dismiss(view, successor)] : [];
  const arrives = successor !== undefined && isWanted(successor);
  if (arrives && successor.Status.State === "running") {
    return isStaying ? { isFailure: false, changes: [] } : ends("", false);
  }
  if (view.service(move.service)?.Version.Index !== move.basedOn) {
    return ends("the service was changed or removed", false, unplaced);
  }
  if (!isStaying) return ends("the task that was to move has ended", false, unplaced);
  const { Err, Message, State } = successor?.Status ?? {};
  const said = Err ?? Message ?? "";
  if (!arrives || isTerminal(successor.Status.State)) {
    return ends(`the new task ended before it took over${said && `: ${said}`}`, true);
  }
  if (!hasPassed(nowMs, { sinceMs: move.atMs, waitMs: moveMsMax })) {
    return { isFailure: false, changes: [] };
  }
  const problem = `the new task was still ${State} after ${moveMsMax / 60_000} minutes${said && `: ${said}`}`;
  return ends(problem, true, [dismiss(view, successor)]);
}

// The beginning of a move

function mayBegin(memory: RebalanceMemory, past: readonly PastMove[], nowMs: number): boolean {
  const { auto, isAsked, stopped } = memory;
  if (!hasPassed(nowMs, { sinceMs: lastEndMs(past), waitMs: pauseMs })) return false;
  if (isAsked) return true;
  return (
    auto && (stopped === undefined || hasPassed(nowMs, { sinceMs: stopped.atMs, waitMs: restMs }))
  );
}

function lastEndMs(past: readonly PastMove[]): number {
  return past.at(-1)?.endedAtMs ?? 0;
}

function begin(
  view: View,
  memory: RebalanceMemory,
  facts: RebalancingFacts,
): { readonly move: OpenMove; readonly change: PlannedChange }[] {
  const room = atOnce - memory.open.length;
  if (room <= 0) return [];
  const busy = new Set(memory.open.map(({ service }) => service));
  const wanted = movesOf(view, memory, { ...facts, movesMax: 4 * atOnce, busy });
  const services = new Set<string>();
  const begun: { move: OpenMove; change: PlannedChange }[] = [];
  for (const move of wanted) {
    if (begun.length >= room || services.has(move.service)) continue;
    services.add(move.service);
    const change = successorOf(view, move, facts);
    const basedOn = view.service(move.service)?.Version.Index;
    if (change === undefined || basedOn === undefined) continue;
    const successor = change.task.ID;
    begun.push({ change, move: { ...move, successor, basedOn, atMs: facts.nowMs } });
  }
  return begun;
}

/** Returns: what would move, the most useful first. */
export function movesOf(
  view: View,
  { auto, isAsked, past }: RebalanceMemory,
  facts: Omit<RebalanceFacts, "settledMs" | "avoids">,
): readonly RebalanceMove[] {
  const { nowMs } = facts;
  const recent = past.filter(({ problem, endedAtMs }) => {
    return problem !== "" && !hasPassed(nowMs, { sinceMs: endedAtMs, waitMs: restMs });
  });
  return planMoves(view, {
    ...facts,
    settledMs: auto && !isAsked ? settledMs : 0,
    avoids: (service, node) => recent.some((one) => one.service === service && one.to === node),
  });
}

type CreateTask = Extract<PlannedChange, { kind: "createTask" }>;

function successorOf(
  view: View,
  { service: id, task, to }: { service: RebalanceMove["service"]; task: TaskId; to: NodeId },
  { nowMs, mint }: RebalancingFacts,
): CreateTask | undefined {
  const service = view.service(id);
  const slot = view.task(task)?.Slot;
  if (service === undefined) return undefined;
  const situation = new Situation(view, service, {
    nowMs,
    mint,
    faults: noPlanFaults,
    changesMax: 1,
  });
  const change = createTask(situation, { slot, node: to, moves: task });
  return change.kind === "createTask" ? change : undefined;
}
