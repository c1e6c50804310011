import type { Task } from "@gam/state";

/**
 * Returns: a line of a task's log with its node, service and task: `details=1` of the service logs.
 *
 * Shape: `line` is the engine's line with details: `[TIME ]ATTRIBUTES TEXT`, with the log driver's attributes or
 *        none. The ids go in front of them, in this order: clients cut the line at its blanks.
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
