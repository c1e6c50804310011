import type { Task } from "@gam/state";

/** Whether the task ended although nothing stopped it. */
export function endedByItself(task: Task): boolean {
  const { State } = task.Status;
  return State === "complete" || State === "failed" || State === "rejected";
}
