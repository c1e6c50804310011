/**
 * Autoscale: how many replicas a service has whose number follows its load.
 *
 * Kubernetes' rule (HorizontalPodAutoscaler): the present number times load over target, rounded up, and no
 * change while the load is within a tenth of the target. Tasks that say nothing are assumed to hold against the
 * change: idle when replicas are added, fully busy when some are removed. Tasks that have just started do not
 * count, since starting is work too.
 *
 * The advice of each look is remembered in the service, as long as a window lasts. Replicas are added when all of
 * the advice in `up.window` asks for more, and removed when all in `down.window` needs fewer. Ask at a fixed
 * pace (`autoscaleEveryMs`).
 *
 * Does not decide which tasks go or where new ones run.
 */
import type { ServiceId } from "@gam/core";
import {
  type AutoscaleAdvice,
  type AutoscaleMetric,
  type AutoscaleTarget,
  type AutoscaleWish,
  adviceMax,
  amountOf,
  autoscaleOf,
  guarded,
  isWanted,
  noGuard,
  type PlanGuard,
  type PlannedChange,
  replicasOf,
  type Service,
  showAmount,
  showTarget,
  type Task,
  type TaskLoad,
  type View,
} from "@gam/state";
import { hasPassed } from "./service/elapsed.ts";

export const autoscaleEveryMs = 15_000;
/** A load this close to the target changes nothing. */
const tolerance = 0.1;
/** A task that runs for less than this may still be starting up. */
const settlingMs = 30_000;
/** In one step the number at most doubles, or grows by four. */
const growthMin = 4;
/** More than any bound of a service. */
const replicasMost = 1e6;
/** 6.000000001 replicas are 6. */
const rounding = 1e-9;

export interface LoadFacts {
  readonly nowMs: number;
  /** What the task used lately; undefined when its host has not said. */
  readonly loadOf: (task: Task) => TaskLoad | undefined;
  /** What a URL or a Prometheus server says of the whole service; undefined when it says nothing. */
  readonly totalOf?: (service: Service, metric: AutoscaleMetric) => number | undefined;
  readonly guard?: PlanGuard;
}

/** What the load of one kind asks for. */
interface Need {
  readonly replicas: number;
  readonly reason: string;
}

export function planAutoscale(view: View, facts: LoadFacts): PlannedChange[] {
  const { guard = noGuard } = facts;
  return view.services().flatMap((service) => {
    return guarded(guard, service.ID, () => scale(view, service, facts), []);
  });
}

function scale(view: View, service: Service, facts: LoadFacts): PlannedChange[] {
  const wish = autoscaleOf(service.Spec);
  const memory = service.Gam.autoscale;
  const from = replicasOf(service.Spec);
  // A client that asks for none stops the service.
  if (wish === undefined || memory === undefined || from === 0) return [];
  const crew = crewOf(view, service.ID, from, facts);
  const need = needOf(wish, from, (target) => {
    if (target.isTotal !== true) return needBy(target, from, crew);
    return needOfTotal(target, from, facts.totalOf?.(service, target.metric));
  });
  if (need === undefined) return [];
  const { nowMs } = facts;
  const advised = Math.max(wish.min, Math.min(wish.max, need.replicas));
  const advice = withAdvice(memory.advice ?? firstAdvice(from, facts), advised, wish, nowMs);
  const settled = stable(from, advice, wish, nowMs);
  const isRolling = /^(updating|rollback_started)$/.test(service.UpdateStatus?.State ?? "");
  const to = settled < from && isRolling ? from : Math.min(settled, growthLimit(from));
  if (to === from && advice === memory.advice) return [];
  const window = to < from ? `, for ${wish.downWindowMs / 1000} s` : "";
  const reason = `${need.reason}${window}`;
  return [
    {
      kind: "scaleService",
      id: service.ID,
      basedOn: service.Version.Index,
      ...{ from, to, reason, advice },
    },
  ];
}

function growthLimit(replicas: number): number {
  return Math.max(2 * replicas, replicas + growthMin);
}

// The load

interface Crew {
  /** What each running task used. */
  readonly loads: readonly TaskLoad[];
  /** Running tasks that say nothing. */
  readonly silent: number;
  /** Places whose task does not run, or has just started. */
  readonly unready: number;
}

function crewOf(view: View, id: ServiceId, replicas: number, facts: LoadFacts): Crew {
  const ready = view.tasksOf(id).filter((task) => isReady(view, task, facts.nowMs));
  const loads = ready.map(facts.loadOf).filter((load) => load !== undefined);
  const places = new Set(ready.map(({ Slot }) => Slot)).size;
  return { loads, silent: ready.length - loads.length, unready: Math.max(0, replicas - places) };
}

function isReady(view: View, task: Task, nowMs: number): boolean {
  if (!isWanted(task) || task.Status.State !== "running" || task.NodeID === undefined) return false;
  if (view.node(task.NodeID)?.Status.State === "down") return false;
  const { startedAtMs = 0 } = task.Gam;
  return hasPassed(nowMs, { sinceMs: startedAtMs, waitMs: settlingMs });
}

/** Returns: the greatest of the needs; undefined when nothing is known. */
function needOf(
  wish: AutoscaleWish,
  replicas: number,
  needFor: (target: AutoscaleTarget) => Need | undefined,
): Need | undefined {
  const needs = wish.targets.map(needFor);
  const known = needs.filter((need) => need !== undefined);
  if (known.length === 0) return undefined;
  const greatest = known.reduce((a, b) => (b.replicas > a.replicas ? b : a));
  // What is not known may need all of the present replicas.
  if (known.length < needs.length && greatest.replicas < replicas) return undefined;
  return greatest;
}

/** Source: GetResourceReplicas() of Kubernetes' replica_calculator.go. */
function needBy(target: AutoscaleTarget, replicas: number, crew: Crew): Need | undefined {
  const values = crew.loads
    .map((load) => amountOf(target, load))
    .filter((one) => one !== undefined);
  if (values.length === 0) return undefined;
  const silent = crew.silent + crew.loads.length - values.length;
  const perTask = (target.base * target.percent) / 100;
  const sum = values.reduce((a, b) => a + b, 0);
  const ratio = sum / (values.length * perTask);
  const reason = reasonOf(target, sum / values.length, values.length);
  const keep = { replicas, reason };
  const addsUnready = crew.unready > 0 && ratio > 1;
  if (silent === 0 && !addsUnready) {
    return isNear(ratio) ? keep : { replicas: rounded(ratio * values.length), reason };
  }
  const assumed = ratio < 1 ? silent * Math.max(target.base, perTask) : 0;
  const count = values.length + silent + (addsUnready ? crew.unready : 0);
  const careful = (sum + assumed) / (count * perTask);
  if (isNear(careful) || careful > 1 !== ratio > 1) return keep;
  const wanted = rounded(careful * count);
  return careful > 1 === wanted > replicas ? { replicas: wanted, reason } : keep;
}

/** Source: GetExternalPerPodMetricReplicas() of Kubernetes' replica_calculator.go. */
function needOfTotal(
  target: AutoscaleTarget,
  replicas: number,
  total: number | undefined,
): Need | undefined {
  if (total === undefined) return undefined;
  const perTask = (target.base * target.percent) / 100;
  const reason = `${target.metric} says ${showAmount(target, total)}, target ${showTarget(target)} for each task`;
  if (isNear(total / (perTask * replicas))) return { replicas, reason };
  // A number below 0 asks for none, and one that is huge for no more than a count can be.
  return { replicas: Math.max(0, Math.min(replicasMost, rounded(total / perTask))), reason };
}

function isNear(ratio: number): boolean {
  return Math.abs(ratio - 1) <= tolerance + rounding;
}

function rounded(replicas: number): number {
  return Math.ceil(replicas - rounding);
}

/** Returns: `cpu at 182% of 4 tasks, target 70%`. */
function reasonOf(target: AutoscaleTarget, amount: number, tasks: number): string {
  const crew = `${tasks} task${tasks === 1 ? "" : "s"}`;
  return `${target.metric} at ${showAmount(target, amount)} of ${crew}, target ${showTarget(target)}`;
}

// The windows

/** The present number counts as asked for until now: nothing is removed before the window has passed once. */
function firstAdvice(replicas: number, { nowMs }: LoadFacts): AutoscaleAdvice {
  return { now: replicas, before: [{ replicas, untilMs: nowMs }] };
}

/** Returns: `advice` itself when it says the same. */
function withAdvice(
  advice: AutoscaleAdvice,
  now: number,
  wish: AutoscaleWish,
  nowMs: number,
): AutoscaleAdvice {
  if (advice.now === now) return advice;
  const all = [...advice.before, { replicas: advice.now, untilMs: nowMs }];
  const before = all.filter(({ replicas, untilMs }, index) => {
    const later = [...all.slice(index + 1).map((one) => one.replicas), now];
    // A later number that is as great hides this one from the greatest of a window, and so for the least.
    const isGreatest = later.every((other) => other < replicas);
    const isLeast = later.every((other) => other > replicas);
    return (
      (isGreatest && isWithin(untilMs, wish.downWindowMs, nowMs)) ||
      (isLeast && isWithin(untilMs, wish.upWindowMs, nowMs))
    );
  });
  return { now, before: before.slice(-adviceMax) };
}

/** Returns: the present number, or the nearest one that all advice of the window goes beyond. */
function stable(
  replicas: number,
  { now, before }: AutoscaleAdvice,
  { upWindowMs, downWindowMs }: AutoscaleWish,
  nowMs: number,
): number {
  const within = (windowMs: number): number[] => {
    const counting = before.filter(({ untilMs }) => isWithin(untilMs, windowMs, nowMs));
    return [now, ...counting.map((one) => one.replicas)];
  };
  const least = Math.min(...within(upWindowMs));
  const greatest = Math.max(...within(downWindowMs));
  return Math.min(Math.max(replicas, least), greatest);
}

function isWithin(untilMs: number, windowMs: number, nowMs: number): boolean {
  return !hasPassed(nowMs, { sinceMs: untilMs, waitMs: windowMs });
}
