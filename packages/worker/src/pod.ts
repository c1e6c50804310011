/**
 * Pod: what the other tasks of its pod mean for one task on this node.
 *
 *   start   init containers, then the main container, then the other parts
 *   stop    parts without a role, then the main container, then sidecars
 *
 * A part runs in the network of the main container. When that ends, or was started again, the part's network is dead,
 * so the part is stopped. A part whose main task is to stop is to stop itself, whatever the state says of it: the
 * leader's order may come later. Connections drain while all of the pod still runs.
 */
import type { TaskId } from "@gam/core";
import {
  isGuest,
  isTerminal,
  isWanted,
  podRoleLabel,
  readLabel,
  type Task,
  type TaskStatus,
} from "@gam/state";
import type { ContainerState } from "./action.ts";

/** A task of a pod, as its node knows it: see LocalTask. */
interface PodTask {
  readonly id: TaskId;
  readonly task: Task | undefined;
  readonly status: TaskStatus | undefined;
  readonly container: ContainerState | undefined;
  readonly doubted: boolean;
  readonly counted: { readonly connections: number; readonly atTick: number } | undefined;
  readonly unwantedTick: number;
  readonly unwantedIndex: number;
}

export interface PodFacts {
  /** Its main task; "gone" if that is not on this node. Undefined for a task that is no part of a pod. */
  readonly main?: PodTask | "gone";
  /** The parts of which it is the main task. */
  readonly parts: readonly PodTask[];
}

/** A task that is in no pod. */
export const alone: PodFacts = { parts: [] };

/** Which tasks of this node are in one pod. */
export class Pods {
  #partsOf = new Map<TaskId, readonly TaskId[]>();
  #mainOf = new Map<TaskId, TaskId>();

  assign(tasks: readonly Task[]): void {
    const parts = tasks.filter(({ Gam }) => Gam.pod !== undefined);
    this.#mainOf = new Map(parts.map(({ ID, Gam }) => [ID, Gam.pod ?? ID]));
    this.#partsOf = new Map(
      [...Map.groupBy(parts, ({ Gam, ID }) => Gam.pod ?? ID)].map(([main, all]) => [
        main,
        all.map(({ ID }) => ID),
      ]),
    );
  }

  /** Returns: all tasks of the pods in which these are. */
  matesOf(ids: ReadonlySet<TaskId>): TaskId[] {
    if (this.#mainOf.size === 0) return [];
    return [...ids].flatMap((id) => {
      const main = this.#mainOf.get(id) ?? id;
      const parts = this.#partsOf.get(main);
      return parts === undefined ? [] : [main, ...parts];
    });
  }

  of({ id, task }: PodTask, all: ReadonlyMap<TaskId, PodTask>): PodFacts {
    if (task === undefined) return alone;
    const parts = (this.#partsOf.get(id) ?? []).flatMap((part) => all.get(part) ?? []);
    const main = task.Gam.pod;
    return main === undefined ? { parts } : { main: all.get(main) ?? "gone", parts };
  }
}

/** Whether the task runs in the network of its main container. */
export function sharesNetwork({ task }: Pick<PodTask, "task">): boolean {
  return task?.Gam.pod !== undefined && isGuest(task.Gam.serviceLabels);
}

/** Whether its pod leaves, so that this part is to stop. */
export function isForsaken({ main }: PodFacts): boolean {
  if (main === undefined) return false;
  if (main === "gone" || main.task === undefined) return true;
  return !isWanted(main.task) || (main.status !== undefined && isTerminal(main.status.State));
}

/** Returns: the id of the container in whose network the part is to run; undefined while that does not run. */
export function runningMain({ main }: PodFacts): string | undefined {
  if (main === undefined || main === "gone") return undefined;
  return main.container?.phase === "running" && !main.doubted ? main.container.id : undefined;
}

/** Returns: the id of the container in whose network the part is to be; undefined while there is none. */
export function createdMain({ main }: PodFacts): string | undefined {
  const container = main === "gone" ? undefined : main?.container;
  return container?.phase === "created" || container?.phase === "running"
    ? container.id
    : undefined;
}

/** Whether the running part is in a network that is dead. False while that is not known. */
export function hasDeadNetwork(local: PodTask, { main }: PodFacts): boolean {
  if (!sharesNetwork(local) || main === undefined) return false;
  if (main === "gone" || main.container === undefined) return true;
  if (main.doubted) return false;
  const { phase, network } = main.container;
  if (phase !== "running") return true;
  const own = local.container?.network;
  return network !== undefined && own !== undefined && network !== own;
}

/** Whether the part stops after its main container, and that still runs. */
export function outlasts(local: PodTask, { main }: PodFacts): boolean {
  if (main === undefined || main === "gone" || main.container?.phase !== "running") return false;
  return readLabel(podRoleLabel, local.task?.Gam.serviceLabels) === "sidecar";
}

/** Whether the main container waits with its stop for a part that stops first. */
export function hasEarlierPart({ parts }: PodFacts): boolean {
  return parts.some(({ task, container }) => {
    if (container?.phase !== "running") return false;
    return readLabel(podRoleLabel, task?.Gam.serviceLabels) === undefined;
  });
}
