/**
 * Cost: how loaded a node is, to rank the suitable nodes.
 *
 * The sum of three shares, each 0 to 1: reservations, measured use (gossiped), and the number of tasks.
 * That number saturates, because twenty small tasks weigh less than their number. A measurement is old when
 * it arrives, so tasks that are placed and do not run yet are added to it. The sum is rounded to steps:
 * otherwise noise would decide, and the criteria after it (image present, id) would have no effect.
 */
import type { Usage } from "@gam/state";
import type { NodeResources } from "./node-resources.ts";

/** Older measurements are ignored. Hosts repeat theirs every 10 s (usage-news.ts); two may be lost. */
const usageAgeMsMax = 30_000;
/** The assumed use of a task that does not run yet, in CPUs. */
const comingCpus = 0.25;
/** With this many tasks a node has half of the crowding share. */
const crowdTasks = 20;
const steps = 20;

/** Units: steps, from 0 for an idle node to 60. */
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
  // Round to tenths: one busy second must not send the next task elsewhere.
  return Math.round(Math.min(1, Math.max(usage.cpu + coming, memory)) * 10) / 10;
}

function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, part / whole) : 0;
}
