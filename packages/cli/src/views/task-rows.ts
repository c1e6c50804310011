/**
 * Task rows: the tasks of a stack as a table. Below the newest task of each slot stand its older ones.
 *
 * Decides names and wording: those of the docker client, which users know.
 */

import type { NodeItem, ServiceItem, TaskItem } from "../agent/engine-calls.ts";
import { age } from "./age.ts";

const titles = ["NAME", "IMAGE", "NODE", "DESIRED STATE", "CURRENT STATE", "ERROR"];

export interface TaskRowsOptions {
  readonly tasks: readonly TaskItem[];
  /** Read for their names only, like `nodes`. */
  readonly services: readonly ServiceItem[];
  readonly nodes: readonly NodeItem[];
  readonly nowMs: number;
}

export function taskRows({ tasks, services, nodes, nowMs }: TaskRowsOptions): string[][] {
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
