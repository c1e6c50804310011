/**
 * Replicated: which slots a service has.
 *
 * It has as many slots as replicas, numbered from 1. Slots are not renumbered; a free number is used again.
 * When there are too many, slots that do not run go first, then slots on the nodes that have most of
 * them. Does not decide what happens inside a slot (task-slot.ts).
 *
 * Slots with local volumes are different, because the number leads to the data. The highest numbers go first: a slot
 * whose host is down does not run, and may be the one with the data. A number is used again at once, so that no new
 * number begins with an empty volume.
 */
import {
  bindingVolumes,
  isTerminal,
  isWanted,
  type PlannedChange,
  replicasOf,
  type Task,
} from "@gam/state";
import { createTask } from "./new-task.ts";
import { dismiss } from "./reap.ts";
import { whomToAwait } from "./restart.ts";
import type { Situation } from "./situation.ts";
import type { TaskSlot } from "./task-slot.ts";

export interface SlotsPlan {
  readonly kept: readonly TaskSlot[];
  /** One entry for each slot that is added or removed. */
  readonly steps: readonly (readonly PlannedChange[])[];
}

/** New slots in one plan. The next plan makes the rest. */
const newSlotsMax = 2000;

/** Of one version of the service, while two of them run. */
export interface VersionSlots {
  readonly replicas: number;
  /** All tasks of the version. */
  readonly tasks: readonly Task[];
  /** New slots get these numbers first. */
  readonly numbers?: readonly number[];
}

export function planReplicated(situation: Situation): SlotsPlan {
  const { service, view } = situation;
  return planSlots(situation, {
    replicas: replicasOf(service.Spec),
    tasks: view.tasksOf(service.ID),
  });
}

export function planSlots(situation: Situation, wish: VersionSlots): SlotsPlan {
  const { service, view } = situation;
  const { replicas, tasks, numbers = [] } = wish;
  const slots = slotsOf(tasks.filter((task) => task.DesiredState !== "remove"));
  const hasData = tasks.some((task) => bindingVolumes(task, service).length > 0);
  const surplus = situation.faults.has("surplus-forgotten") ? 0 : slots.length - replicas;
  if (surplus > 0) {
    const given = new Set(hasData ? slots.slice(-surplus) : leastWanted(slots, surplus));
    return {
      kept: slots.filter((taskSlot) => !given.has(taskSlot)),
      steps: [...given].map(({ tasks }) => tasks.map((task) => dismiss(view, task))),
    };
  }
  const steps: PlannedChange[][] = [];
  const taken = new Set(slots.map(({ slot }) => slot));
  // A slot number is not free while its last task is still being stopped.
  const stopping = new Map<number | undefined, Task>();
  for (const task of tasks) if (!isTerminal(task.Status.State)) stopping.set(task.Slot, task);
  const missing = Math.min(replicas - slots.length, newSlotsMax);
  for (const slot of slotNumbers(numbers)) {
    if (steps.length >= missing) break;
    const last = stopping.get(slot);
    if (taken.has(slot) || (last !== undefined && !hasData)) continue;
    const after = last && whomToAwait(situation, last);
    steps.push([createTask(situation, { slot, after })]);
  }
  return { kept: slots, steps };
}

/** First these, then all others from 1. */
function* slotNumbers(first: readonly number[]): Generator<number> {
  yield* first;
  for (let slot = 1; ; slot += 1) if (!first.includes(slot)) yield slot;
}

function slotsOf(tasks: readonly Task[]): TaskSlot[] {
  const slots = Map.groupBy(tasks, (task) => task.Slot ?? 0);
  return [...slots]
    .sort(([a], [b]) => a - b)
    .map(([slot, tasks]) => ({ key: String(slot), slot, tasks }));
}

/** Returns: the `count` slots to remove first. */
function leastWanted(slots: readonly TaskSlot[], count: number): TaskSlot[] {
  const ranked = slots.map((taskSlot) => {
    const best = taskSlot.tasks.findLast((task) => isWanted(task));
    const runner = taskSlot.tasks.findLast((t) => isWanted(t) && t.Status.State === "running");
    return { taskSlot, runs: runner !== undefined, node: (runner ?? best)?.NodeID ?? "", nth: 0 };
  });
  // Slots are counted per node, and the highest counts go first: so the nodes with most slots lose first.
  const onNode = new Map<string, number>();
  for (const slot of [...ranked].sort((a, b) => Number(b.runs) - Number(a.runs))) {
    slot.nth = onNode.get(slot.node) ?? 0;
    onNode.set(slot.node, slot.nth + 1);
  }
  return ranked
    .sort((a, b) => Number(a.runs) - Number(b.runs) || b.nth - a.nth || slotOf(b) - slotOf(a))
    .slice(0, count)
    .map(({ taskSlot }) => taskSlot);
}

function slotOf({ taskSlot }: { taskSlot: TaskSlot }): number {
  return taskSlot.slot ?? 0;
}
