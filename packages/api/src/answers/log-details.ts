import type { Task } from "@gam/state";

/**
 * A line of a task's log with the names of where it comes from: `details=1` of the service logs.
 *
 * Shape: `line` as the engine sends it with details: `[TIME ]ATTRIBUTES TEXT`, the attributes being
 *        those of the log driver, or nothing. The names go in front of them, in this order: clients
 *        cut the line at its blanks.
 */
export function withTaskDetails(line: Buffer, task: Task, timestamps: boolean): Buffer {
  const start = timestamps ? line.indexOf(32) + 1 : 0;
  const end = line.indexOf(32, start);
  const hasAttributes = end > start;
  const names = [
    `com.docker.swarm.node.id=${task.NodeID ?? ""}`,
    `com.docker.swarm.service.id=${task.ServiceID}`,
    `com.docker.swarm.task.id=${task.ID}`,
  ].join(",");
  return Buffer.concat([
    line.subarray(0, start),
    Buffer.from(hasAttributes ? `${names},` : names),
    line.subarray(start),
  ]);
}
