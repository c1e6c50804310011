/**
 * Global: on which nodes a service has its one task.
 *
 * A task belongs on each node that suits the service and is not drained. A paused node keeps its task and
 * gets no new one. A node that is down keeps its task too: no other node could run it instead, and when
 * the node returns, nothing has to be done. A task is made for its node and waits until it fits there.
 */
import { isWanted, type Node, type PlannedChange, type Task } from "@gam/state";
import { createTask } from "./new-task.ts";
import { dismiss, retire } from "./reap.ts";
import type { SlotsPlan } from "./replicated.ts";
import type { Situation } from "./situation.ts";
import type { TaskSlot } from "./task-slot.ts";

/** Shape: `tasks` are the service's tasks whose removal is not planned. */
export function planGlobal(situation: Situation, tasks: readonly Task[]): SlotsPlan {
  const { view } = situation;
  const onNodes = Map.groupBy(tasks, (task) => task.NodeID);
  const kept: TaskSlot[] = [];
  const steps: PlannedChange[][] = [];
  for (const node of view.nodes()) {
    const id = node.ID;
    const here = onNodes.get(id) ?? [];
    onNodes.delete(id);
    if (isEligible(situation, node)) {
      if (node.Status.State === "down") continue;
      const mayGet = node.Spec.Availability === "active";
      if (here.length === 0 && mayGet) steps.push([createTask(situation, { node: id })]);
      else if (mayGet || here.some(isWanted)) kept.push({ key: id, node: id, tasks: here });
      continue;
    }
    for (const task of here.filter(isWanted)) steps.push([retire(task)]);
  }
  // Tasks on removed nodes.
  for (const task of [...onNodes.values()].flat()) steps.push([dismiss(view, task)]);
  return { kept, steps };
}

function isEligible(situation: Situation, node: Node): boolean {
  if (node.Spec.Availability === "drain") return false;
  return situation.suits(node, situation.service.Spec.TaskTemplate);
}
