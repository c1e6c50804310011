/** Measuring: when to measure the usage of the host, and of which tasks. */
import type { NodeId } from "@gam/core";
import { asksOf, isWanted, measuredTasksMax, type TaskToMeasure, type View } from "@gam/state";

/**
 * Every second (20 ticks), and less often where all peers together would send more than 100 messages a second.
 */
const usageTicks = 20;
const messagesPerSecondMax = 100;

export class Measuring {
  #dueTick = 0;

  /** Whether the caller has to measure now. */
  isDue(nowTick: number, view: View): boolean {
    if (nowTick < this.#dueTick) return false;
    const spread = (view.nodes().length / messagesPerSecondMax) * usageTicks;
    this.#dueTick = nowTick + Math.max(usageTicks, Math.ceil(spread));
    return true;
  }
}

/** Returns: the running tasks of this node whose service is scaled by their load, and those that are asked something. */
export function tasksToMeasure(view: View, self: NodeId): readonly TaskToMeasure[] {
  return view
    .tasksOn(self)
    .flatMap((task): TaskToMeasure[] => {
      const { PID: pid = 0 } = task.Status.ContainerStatus ?? {};
      if (pid === 0 || task.Status.State !== "running" || !isWanted(task)) return [];
      const service = view.service(task.ServiceID);
      if (service?.Gam.autoscale === undefined && service?.Gam.rollout === undefined) return [];
      const { number, check } = asksOf(view, service, task);
      const asked = { ...(number && { number }), ...(check && { check }) };
      const isScaled = service.Gam.autoscale !== undefined;
      return isScaled || check !== undefined ? [{ id: task.ID, pid, ...asked }] : [];
    })
    .slice(0, measuredTasksMax);
}
