/**
 * Judge: how each node looks to one task: what every filter says against it, or its rank.
 *
 * Decides nothing. It uses the filters and the order of placement.ts, so it says what the scheduler would do.
 */
import type { NodeId } from "@gam/core";
import { imageNames, type Task, type View } from "@gam/state";
import { affinityOf, Neighbours } from "./affinity.ts";
import { costOf } from "./cost.ts";
import { obstaclesOf } from "./filter.ts";
import { NodeResources } from "./node-resources.ts";
import { countsOf, type PlacementFacts, Placing } from "./placement.ts";
import { PodRooms } from "./pod.ts";
import { VolumeBindings } from "./volume-binding.ts";

/** What speaks against a node, or for it. */
export interface NodeVerdict {
  readonly node: NodeId;
  /** What each filter says that the node fails. Empty: it is suitable. */
  readonly obstacles: readonly string[];
  /** Its place among the suitable nodes, from 1; absent for an unsuitable one. */
  readonly rank?: number;
  /** Wanted tasks of the service on the node. */
  readonly ofService: number;
  readonly failing: boolean;
  /** As costOf(). */
  readonly cost: number;
  readonly hasImage: boolean;
  readonly freeNanoCpus: number;
  readonly freeMemoryBytes: number;
}

/**
 * Returns: for each node, how it would be judged for this task now. The task's own share of its node is not counted,
 *          so a task that runs is judged as if it were to be placed again.
 */
export function judgeNodes(view: View, task: Task, facts: PlacementFacts): NodeVerdict[] {
  const { usage, nowMs } = facts;
  const names = imageNames(task.Spec.ContainerSpec.Image);
  const others = view.tasksOf(task.ServiceID).filter(({ ID }) => ID !== task.ID);
  const counts = countsOf(others, nowMs);
  const candidates = view.nodes().map((node) => ({
    resources: new NodeResources(
      node,
      view.tasksOn(node.ID).filter(({ ID }) => ID !== task.ID),
    ),
    ofService: counts.wanted.get(node.ID) ?? 0,
  }));
  const [bindings, neighbours] = [new VolumeBindings(view), new Neighbours(view, task.ID)];
  const podRooms = new PodRooms(view, candidates, task.ID);
  podRooms.free(task);
  const around = { view, facts, bindings, neighbours, podRooms };
  const placing = new Placing(around, candidates, counts.failing);
  const affinity = affinityOf(view, view.service(task.ServiceID), neighbours);
  const { NodeID: _, ...unplaced } = task;
  // A task of a global service was made for its node; any other task could have got another one.
  const wish = placing.wishFor(task.Slot === undefined ? task : unplaced, affinity);
  const ranks = new Map<NodeId, number>();
  const spread = placing.ranking(task, wish);
  for (let best = spread.first(); best !== undefined; best = spread.first()) {
    ranks.set(best.resources.node.ID, ranks.size + 1);
    spread.removeFirst();
  }
  return candidates.map((candidate): NodeVerdict => {
    const { resources, ofService } = candidate;
    const { ID, Description } = resources.node;
    const known = usage.get(ID);
    const rank = ranks.get(ID);
    return {
      node: ID,
      obstacles: obstaclesOf(candidate, wish),
      ...(rank !== undefined && { rank }),
      ofService,
      failing: counts.failing.has(ID),
      cost: costOf(resources, known, nowMs),
      hasImage: known?.images.some((image) => names.has(image)) ?? false,
      freeNanoCpus: Math.max(0, Description.Resources.NanoCPUs - resources.nanoCpus),
      freeMemoryBytes: Math.max(0, Description.Resources.MemoryBytes - resources.memoryBytes),
    };
  });
}
