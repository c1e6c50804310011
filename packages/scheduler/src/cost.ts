/**
 * Cost: how loaded a node is, for ranking nodes that all would do.
 *
 * The sum of three shares, each 0 to 1: what is promised (reservations), what is measured (gossiped
 * usage), and how crowded it is (tasks, saturating, because twenty small ones weigh less than their
 * number). Damping: a measurement is old when it arrives, so tasks that were placed and do not run yet
 * are added to it, and the whole is rounded to steps, so that noise decides nothing and the ranks after
 * it (image present, id) have a say.
 */
import type { Usage } from "@gam/state";
import type { NodeResources } from "./node-resources.ts";

/** Older measurements say nothing. Three times the longest gossip interval of 200 hosts. */
const usageAgeMsMax = 10_000;
/** What a task that does not run yet is taken to use, as a share of a CPU. */
const comingCpus = 0.25;
/** A node with this many tasks is half crowded. */
const crowdTasks = 20;
const steps = 20;

/** Steps, from 0 for an idle node to 60. */
export function costOf(resources: NodeResources, usage: Usage | undefined, nowMs: number): number {
  const { NanoCPUs, MemoryBytes } = resources.node.Description.Resources;
  const promised = Math.max(
    share(resources.nanoCpus, NanoCPUs),
    share(resources.memoryBytes, MemoryBytes),
  );
  const crowd = resources.tasks / (resources.tasks + crowdTasks);
  return Math.ceil((promised + measured(resources, usage, nowMs) + crowd) * steps);
}

function measured(resources: NodeResources, usage: Usage | undefined, nowMs: number): number {
  if (usage === undefined || Math.abs(nowMs - usage.atMs) > usageAgeMsMax) return 0;
  const cpus = resources.node.Description.Resources.NanoCPUs / 1e9;
  const coming = share(resources.tasksComing * comingCpus, cpus);
  // Memory counts in full only near its end: caches fill it on any healthy host.
  const memory = share(usage.memoryBytes, usage.memoryTotalBytes) ** 2;
  // Tenths: one busy second must not send the next task elsewhere.
  return Math.round(Math.min(1, Math.max(usage.cpu + coming, memory)) * 10) / 10;
}

function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, part / whole) : 0;
}
