/** Plan changes: what is different between two states, as a person wants to read it before it happens. */
import type { ServiceId } from "@gam/core";
import {
  type Config,
  isTerminal,
  isWanted,
  type Network,
  partsOf,
  type Secret,
  type Service,
  type Task,
  type View,
} from "@gam/state";
import {
  fieldChanges,
  type PlanObject,
  type PlanTask,
  type PlanTasks,
  shownSpec,
} from "@gam/state/answers";
import { hostnameOf, taskName } from "./task-causes.ts";

/** The lists of a view at one moment. A view is live; its lists are not. */
export interface PlanState {
  readonly services: readonly Service[];
  readonly networks: readonly Network[];
  readonly secrets: readonly Secret[];
  readonly configs: readonly Config[];
  readonly tasksOf: ReadonlyMap<ServiceId, readonly Task[]>;
}

export function planStateOf(view: View): PlanState {
  return {
    services: view.services(),
    networks: view.networks(),
    secrets: view.secrets(),
    configs: view.configs(),
    tasksOf: new Map(view.services().map(({ ID }) => [ID, view.tasksOf(ID)])),
  };
}

/**
 * Returns: services that were created, changed or removed, in the order of creation, and then the parts of their pods,
 *          whose tasks follow theirs.
 */
export function changedServices(before: PlanState, after: PlanState): ServiceId[] {
  const old = new Map(before.services.map((service) => [service.ID, service]));
  const changed = after.services.filter((service) => {
    const known = old.get(service.ID);
    return known?.Version.Index !== service.Version.Index;
  });
  const left = new Set(after.services.map(({ ID }) => ID));
  const gone = before.services.filter(({ ID }) => !left.has(ID));
  const found = [...gone, ...changed].map(({ ID }) => ID);
  const parts = [before, after].flatMap(({ services }) => {
    return found.flatMap((id) => partsOf({ services: () => services }, id)).map(({ ID }) => ID);
  });
  return [...new Set([...found, ...parts])];
}

/** Returns: what was created, changed or removed, networks first and services last. */
export function objectChanges(before: PlanState, after: PlanState): PlanObject[] {
  const names = new Map([...before.networks, ...after.networks].map(({ Id, Name }) => [Id, Name]));
  return [
    ...changesOf<Network>("network", [before.networks, after.networks], {
      idOf: ({ Id }) => Id,
      nameOf: ({ Name }) => Name,
      shapeOf: networkShape,
    }),
    ...changesOf<Secret>("secret", [before.secrets, after.secrets], contentRule),
    ...changesOf<Config>("config", [before.configs, after.configs], contentRule),
    ...changesOf<Service>("service", [before.services, after.services], {
      idOf: ({ ID }) => ID,
      nameOf: ({ Spec }) => Spec.Name,
      shapeOf: ({ Spec }) => shownSpec(Spec, names),
    }),
  ];
}

interface ObjectRule<Row> {
  readonly idOf: (row: Row) => string;
  readonly nameOf: (row: Row) => string;
  /** What a person compares. */
  readonly shapeOf: (row: Row) => unknown;
}

/** Contents stay secret: only their version is shown. */
const contentRule: ObjectRule<Secret | Config> = {
  idOf: ({ ID }) => ID,
  nameOf: ({ Spec }) => Spec.Name,
  shapeOf: ({ Spec, Gam }) => ({ Labels: Spec.Labels, Content: `version ${Gam.current}` }),
};

function networkShape({ Driver, IPAM, Internal, Attachable, Options, Labels }: Network): unknown {
  return { Driver, IPAM, Internal, Attachable, Options, Labels };
}

function changesOf<Row>(
  kind: PlanObject["kind"],
  [before, after]: readonly [readonly Row[], readonly Row[]],
  { idOf, nameOf, shapeOf }: ObjectRule<Row>,
): PlanObject[] {
  const old = new Map(before.map((row) => [idOf(row), row]));
  const left = new Set(after.map(idOf));
  const removed = before.filter((row) => !left.has(idOf(row)));
  return [
    ...removed.map((row): PlanObject => {
      return { kind, name: nameOf(row), action: "remove", fields: [] };
    }),
    ...after.flatMap((row): PlanObject[] => {
      const known = old.get(idOf(row));
      if (known === row) return [];
      const name = nameOf(row);
      if (known === undefined) return [{ kind, name, action: "create", fields: [] }];
      const fields = fieldChanges(shapeOf(known), shapeOf(row));
      return fields.length === 0 ? [] : [{ kind, name, action: "update", fields }];
    }),
  ];
}

/** Returns: what happens to the tasks of a service. */
export function taskChanges(id: ServiceId, before: PlanState, view: View): PlanTasks {
  const service = view.service(id) ?? before.services.find(({ ID }) => ID === id);
  const old = (before.tasksOf.get(id) ?? []).filter(isActive);
  const now = view.tasksOf(id).filter(isActive);
  const [oldIds, nowIds] = [old, now].map((tasks) => new Set(tasks.map(({ ID }) => ID)));
  const fresh = now.filter(({ ID }) => oldIds?.has(ID) !== true);
  const shown = (task: Task): PlanTask => {
    const node = task.NodeID === undefined ? undefined : view.node(task.NodeID);
    return { name: placeName(task, view), node: node ? hostnameOf(node) : "" };
  };
  return {
    service: service?.Spec.Name ?? id,
    kept: old.filter(({ ID }) => nowIds?.has(ID)).length,
    stopped: old.filter(({ ID }) => nowIds?.has(ID) !== true).map(shown),
    started: fresh.filter(isPlaced).map(shown),
    waiting: now
      .filter((task) => !isPlaced(task))
      .map((task) => ({ ...shown(task), why: task.Status.Err ?? task.Status.Message ?? "" })),
    update: view.service(id)?.UpdateStatus?.Message ?? "",
  };
}

/** A task that should run, or completed its job. */
function isActive(task: Task): boolean {
  return isWanted(task) && (!isTerminal(task.Status.State) || task.Status.State === "complete");
}

function isPlaced({ Status }: Task): boolean {
  return Status.State !== "new" && Status.State !== "allocated" && Status.State !== "pending";
}

/** Returns: "web.1", and "web" for the task of a global service, whose place is its node. */
function placeName(task: Task, view: View): string {
  if (task.Slot !== undefined || task.NodeID === undefined) return taskName(task);
  return view.node(task.NodeID) === undefined ? taskName(task) : task.Gam.serviceName;
}
