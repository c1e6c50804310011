/**
 * FailedOn: on which nodes a place of a service has failed lately.
 *
 * Only a few ended tasks of a place are kept, so they cannot say where the place has failed before. Each
 * successor carries the record of its predecessors instead. A rejection counts twice, because the node could not
 * even start the task. A change of the template starts a new record.
 */
import type { Task, TaskFailures } from "../objects/task.ts";

/** An older failure says nothing about the node any more. */
const failureWindowMs = 5 * 60_000;
const rejectionWeight = 2;
/** The latest are kept. */
export const failedOnMax = 64;

/** Returns: the record of this task's place at `nowMs`, with the task's own failure. The latest is last. */
export function failedOn(task: Task, nowMs: number): readonly TaskFailures[] {
  const { NodeID, Status, Gam } = task;
  const recent = (Gam.failedOn ?? []).filter(({ atMs }) => nowMs - atMs < failureWindowMs);
  const weight = { failed: 1, rejected: rejectionWeight }[String(Status.State)];
  const atMs = Date.parse(Status.Timestamp);
  if (NodeID === undefined || weight === undefined || nowMs - atMs >= failureWindowMs)
    return recent;
  const before = recent.find(({ node }) => node === NodeID)?.weight ?? 0;
  const others = recent.filter(({ node }) => node !== NodeID).slice(1 - failedOnMax);
  return [...others, { node: NodeID, weight: before + weight, atMs: Math.max(0, atMs) }];
}
