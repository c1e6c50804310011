/**
 * Pod: which tasks a part of a pod has: one for each task of its main service.
 *
 * A task of the main service gets its parts when it has a node, on the same node. They leave when it does: what the
 * network of a container was is gone with it. While the node of the main task is down, or that task has to leave it,
 * nothing is decided here: what becomes of the pod is decided by what becomes of its main task.
 *
 *   init container   one task that runs to its end before the main task starts; none beside a main task that runs
 *   any other part   what happens in its place is decided as for any service (task-slot.ts)
 *   restart together a part that has ended is left alone: the main task is replaced, and the whole pod with it
 *
 * Does not decide in which order the parts of a pod stop: the worker does.
 */
import {
  compareStates,
  isTerminal,
  isWanted,
  mainOf,
  type PlannedChange,
  slotName,
  type Task,
} from "@gam/state";
import { dismiss, retire } from "./reap.ts";
import type { SlotsPlan } from "./replicated.ts";
import { whomToAwait } from "./restart.ts";
import type { Situation } from "./situation.ts";
import type { TaskSlot } from "./task-slot.ts";

/** Shape: `tasks` are the part's tasks whose removal is not planned. */
export function planParts(situation: Situation, tasks: readonly Task[]): SlotsPlan {
  const { view, service, isInit } = situation;
  const main = mainOf(view, service);
  const ofMain = Map.groupBy(tasks, ({ Gam }) => Gam.pod);
  const kept: TaskSlot[] = [];
  const steps: PlannedChange[][] = [];
  const stopping = tasks.filter(
    ({ Status, ...task }) => !isWanted(task) && !isTerminal(Status.State),
  );
  for (const lead of main === undefined ? [] : view.tasksOf(main.ID)) {
    if (!isWanted(lead) || isTerminal(lead.Status.State)) continue;
    const own = ofMain.get(lead.ID) ?? [];
    ofMain.delete(lead.ID);
    if (compareStates(lead.Status.State, "assigned") < 0 || lead.NodeID === undefined) continue;
    if (situation.standing(lead) !== "live") continue;
    if (isInit) {
      if (own.some(({ Status }) => Status.State === "complete")) continue;
      if (lead.DesiredState !== "ready") {
        steps.push(own.filter(isLive).map((task) => retire(task)));
        continue;
      }
    }
    const newest = own.at(-1);
    if (newest !== undefined && situation.endsPod(newest)) continue;
    const last = stopping.findLast((task) => slotName(task) === slotName(lead));
    const after = own.length > 0 || last === undefined ? "" : whomToAwait(situation, last);
    kept.push({
      key: lead.ID,
      ...(lead.Slot !== undefined && { slot: lead.Slot }),
      node: lead.NodeID,
      pod: { main: lead.ID, after },
      tasks: own,
    });
  }
  for (const task of [...ofMain.values()].flat()) {
    if (!isWanted(task) || situation.faults.has("pods-outlived")) continue;
    const lead = task.Gam.pod === undefined ? undefined : view.task(task.Gam.pod);
    const isGone = lead === undefined || lead.DesiredState === "remove";
    steps.push([isGone ? dismiss(view, task) : retire(task)]);
  }
  return { kept, steps };
}

function isLive(task: Task): boolean {
  return isWanted(task) && !isTerminal(task.Status.State);
}
