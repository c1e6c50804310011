/** Drain: how long a leaving task may keep its open connections. */
import { readLabel } from "../../labels/label-rule.ts";
import { drainLabel } from "../../labels/steering-labels.ts";
import type { View } from "../../log/view.ts";
import { isLeaving, type Task } from "../../objects/task.ts";

/**
 * The service's present label counts, not that of the time when the task was made. So a removed service has no drain:
 * who removes it wants it gone, and Swarm's clients expect that to be quick.
 *
 * Returns: milliseconds; 0 for a task that does not leave, and for one that waits for no connections.
 */
export function drainMsOf(view: View, task: Task): number {
  if (!isLeaving(task)) return 0;
  return readLabel(drainLabel, view.service(task.ServiceID)?.Spec.Labels) ?? 0;
}
