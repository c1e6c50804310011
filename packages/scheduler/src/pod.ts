/**
 * Pod: what a task of a main service needs for the whole pod, and the room that its parts will take.
 *
 * A pod is placed where all of its parts fit, and the room of parts that have no task yet, or whose task has ended, is
 * kept on the node. Otherwise another task could take it, and half a pod would wait. Parts themselves are made for the
 * node of their main task.
 */
import type { NodeId, ServiceId, TaskId } from "@gam/core";
import {
  compareStates,
  isInit,
  isTerminal,
  isWanted,
  partsOf,
  type Service,
  type Task,
  type View,
} from "@gam/state";
import { type NodeResources, type Reservation, reservationOf } from "./node-resources.ts";

/** Returns: the tasks that will run with this one, as they would be if they were made now. */
export function matesOf(view: View, main: Task): readonly Task[] {
  return partsOf(view, main.ServiceID).map((part) => mateOf(part, main));
}

function mateOf({ ID, Spec }: Service, main: Task): Task {
  const { GenericResources: _, ...rest } = main;
  return {
    ...rest,
    ServiceID: ID,
    Spec: Spec.TaskTemplate,
    Gam: {
      ...main.Gam,
      serviceName: Spec.Name,
      serviceLabels: Spec.Labels ?? {},
      endpoint: Spec.EndpointSpec ?? {},
      attachments: [],
    },
  };
}

/** Returns: what they reserve together. Parts publish no ports. */
export function sumOf(reservations: readonly Reservation[]): Reservation {
  const generic = new Map<string, number>();
  for (const [kind, count] of reservations.flatMap((one) => one.generic)) {
    generic.set(kind, (generic.get(kind) ?? 0) + count);
  }
  return {
    nanoCpus: reservations.reduce((sum, { nanoCpus }) => sum + nanoCpus, 0),
    memoryBytes: reservations.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    generic: [...generic],
    ports: reservations.flatMap(({ ports }) => ports),
  };
}

type Rooms = readonly { readonly resources: NodeResources }[];

/** The room that is kept for parts of pods. */
export class PodRooms {
  readonly #nodes: ReadonlyMap<NodeId, NodeResources>;
  /** By main task and part. */
  readonly #kept = new Map<string, Reservation>();

  /** `without`: a main task that does not count. */
  constructor(view: View, rooms: Rooms, without?: TaskId) {
    this.#nodes = new Map(rooms.map(({ resources }) => [resources.node.ID, resources]));
    for (const main of view.services()) {
      const parts = partsOf(view, main.ID);
      if (parts.length === 0) continue;
      const held = new Set(
        parts
          .flatMap(({ ID }) => view.tasksOf(ID))
          .filter(holds)
          .map(keyOf),
      );
      for (const task of view.tasksOf(main.ID)) {
        if (task.ID === without || !isWanted(task) || !holds(task)) continue;
        for (const part of parts) if (!held.has(keyFor(task.ID, part.ID))) this.#keep(part, task);
      }
    }
  }

  #keep(part: Service, main: Task): void {
    // An init container is not started again beside a main container that runs.
    if (isInit(part.Spec.Labels) && main.DesiredState !== "ready") return;
    const reservation = reservationOf(mateOf(part, main));
    const node = main.NodeID === undefined ? undefined : this.#nodes.get(main.NodeID);
    if (node === undefined) return;
    node.keep(reservation);
    this.#kept.set(keyFor(main.ID, part.ID), reservation);
  }

  /** Frees the room that was kept for this part. Returns: a function that keeps it again. */
  free(part: Task): () => void {
    const key = keyOf(part);
    const reservation = this.#kept.get(key);
    const node = part.NodeID === undefined ? undefined : this.#nodes.get(part.NodeID);
    if (reservation === undefined || node === undefined) return () => undefined;
    node.giveBack(reservation);
    this.#kept.delete(key);
    return () => {
      node.keep(reservation);
      this.#kept.set(key, reservation);
    };
  }
}

function keyFor(main: TaskId, part: ServiceId): string {
  return `${main} ${part}`;
}

function keyOf({ Gam, ServiceID }: Task): string {
  return `${Gam.pod ?? ""} ${ServiceID}`;
}

/** Whether it has its share of its node. */
function holds({ Status }: Task): boolean {
  return compareStates(Status.State, "assigned") >= 0 && !isTerminal(Status.State);
}
