/**
 * Task rows: the tasks of a stack as a table. Below the newest task of each slot stand its older ones.
 *
 * Decides names and wording: those of the docker client, which users know.
 */

import type { NodeItem, ServiceItem, TaskItem } from "../agent/engine-calls.ts";
import { age } from "./age.ts";

const titles = ["ID", "NAME", "IMAGE", "NODE", "DESIRED STATE", "CURRENT STATE", "ERROR", "PORTS"];
const idLength = 12;
const errorLengthMax = 30;

export interface TaskRowsOptions {
  readonly tasks: readonly TaskItem[];
  /** Read for their names only, like `nodes`. Ids are shown for those that are not in the list. */
  readonly services: readonly ServiceItem[];
  readonly nodes: readonly NodeItem[];
  readonly nowMs: number;
  /** Cut ids, digests of images and long errors off. */
  readonly trunc: boolean;
}

export function taskRows({ tasks, services, nodes, nowMs, trunc }: TaskRowsOptions): string[][] {
  const serviceNames = new Map(services.map(({ ID, Spec }) => [ID, Spec.Name]));
  const hostnames = new Map(nodes.map(({ ID, Description }) => [ID, Description.Hostname]));
  const named = tasks.map((task) => ({
    task,
    name: `${serviceNames.get(task.ServiceID) ?? task.ServiceID}.${task.Slot || task.NodeID || "-"}`,
  }));
  named.sort((a, b) => collator.compare(a.name, b.name) || createdMs(b.task) - createdMs(a.task));
  return [
    titles,
    ...named.map(({ task, name }, index) => [
      trunc ? task.ID.slice(0, idLength) : task.ID,
      named[index - 1]?.name === name ? ` \\_ ${name}` : name,
      imageOf(task, trunc),
      task.NodeID === undefined ? "" : (hostnames.get(task.NodeID) ?? task.NodeID),
      sentence(task.DesiredState),
      `${sentence(task.Status.State)} ${age(nowMs - Date.parse(task.Status.Timestamp))}`,
      errorOf(task, trunc),
      (task.Status.PortStatus?.Ports ?? [])
        .map((port) => `*:${port.PublishedPort}->${port.TargetPort}/${port.Protocol}`)
        .join(","),
    ]),
  ];
}

const collator = new Intl.Collator("en", { numeric: true });

function createdMs({ CreatedAt, Status }: TaskItem): number {
  return Date.parse(CreatedAt ?? Status.Timestamp);
}

function imageOf({ Spec }: TaskItem, trunc: boolean): string {
  const image = Spec.ContainerSpec?.Image ?? "";
  return trunc ? image.replace(/(:[^:@/]+)@.*$/, "$1") : image;
}

function errorOf({ Status: { Err = "" } }: TaskItem, trunc: boolean): string {
  if (Err === "") return "";
  const short = trunc && Err.length > errorLengthMax;
  return `"${short ? `${Err.slice(0, errorLengthMax - 1)}…` : Err}"`;
}

function sentence(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
