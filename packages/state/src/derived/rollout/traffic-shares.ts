/**
 * Traffic shares: which part of a service's new connections each of its tasks gets while two versions run.
 *
 * Decides by the versions of the tasks alone. Which tasks may get connections at all, and how the kernel divides
 * them, is decided by the network plan.
 */
import type { TaskId } from "@gam/core";
import type { Service } from "../../objects/service.ts";
import type { Task } from "../../objects/task.ts";

/**
 * Returns: a whole number for each task, in proportion to its part of the connections; undefined when all are equal.
 *         A version without such tasks gets nothing, whatever its weight: its part goes to the other one.
 *
 * Shape: `tasks` are those that may get connections now.
 */
export function trafficShares(
  { Gam: { rollout } }: Pick<Service, "Gam">,
  tasks: readonly Pick<Task, "ID" | "Gam">[],
): ReadonlyMap<TaskId, number> | undefined {
  if (rollout === undefined) return undefined;
  const { version, weight } = rollout;
  const isNew = ({ Gam }: Pick<Task, "Gam">): boolean => Gam.templateVersion === version;
  const fresh = tasks.filter(isNew).length;
  const old = tasks.length - fresh;
  if (fresh === 0 || old === 0) return undefined;
  return new Map(
    // Both sides times the size of the other: the sums are as the weights.
    tasks.map((task) => [task.ID, isNew(task) ? weight * old : (100 - weight) * fresh]),
  );
}
