/**
 * Task rows: the tasks of a stack as a table, newest of each slot first and its past below it.
 *
 * Decides names and wording, which are those that users of the docker client know.
 */
import type { NodeItem, ServiceItem, TaskItem } from "./engine-calls.ts";

const titles = ["NAME", "IMAGE", "NODE", "DESIRED STATE", "CURRENT STATE", "ERROR"];

export function taskRows(
  tasks: readonly TaskItem[],
  services: readonly ServiceItem[],
  nodes: readonly NodeItem[],
  nowMs: number,
): string[][] {
  const serviceNames = new Map(services.map(({ ID, Spec }) => [ID, Spec.Name]));
  const hostnames = new Map(nodes.map(({ ID, Description }) => [ID, Description.Hostname]));
  const named = tasks.map((task) => ({
    task,
    name: `${serviceNames.get(task.ServiceID) ?? task.ServiceID}.${task.Slot ?? task.NodeID ?? "-"}`,
  }));
  named.sort((a, b) => compareNames(a.name, b.name) || compareAges(a.task, b.task));
  return [
    titles,
    ...named.map(({ task, name }, index) => [
      named[index - 1]?.name === name ? ` \\_ ${name}` : name,
      task.Spec.ContainerSpec?.Image?.replace(/@.*$/, "") ?? "",
      task.NodeID === undefined ? "" : (hostnames.get(task.NodeID) ?? task.NodeID),
      sentence(task.DesiredState),
      `${sentence(task.Status.State)} ${age(nowMs - Date.parse(task.Status.Timestamp))}`,
      task.Status.Err ?? "",
    ]),
  ];
}

const collator = new Intl.Collator("en", { numeric: true });

function compareNames(a: string, b: string): number {
  return collator.compare(a, b);
}

function compareAges(a: TaskItem, b: TaskItem): number {
  return Date.parse(b.Status.Timestamp) - Date.parse(a.Status.Timestamp);
}

function sentence(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

/** `3 minutes ago`. Clocks of hosts differ a little, so what seems to come is now. */
function age(elapsedMs: number): string {
  for (const [name, unitMs] of units) {
    const count = Math.floor(elapsedMs / unitMs);
    if (count >= 1) return `${count} ${name}${count === 1 ? "" : "s"} ago`;
  }
  return "just now";
}
