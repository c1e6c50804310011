/**
 * Dependencies: which services a service waits for (`gam.depends_on`), and whether they are far enough.
 *
 * A name means a service of the same stack first, then any service of that name. One running task is enough,
 * because a service answers as soon as one task does. Does not decide what waits: the orchestrator holds back new
 * tasks and updates, and the worker those that a host had before it started again.
 */
import type { NodeId } from "@gam/core";
import { readLabel } from "../labels/label-rule.ts";
import {
  type Dependency,
  type DependencyCondition,
  dependsOnLabel,
} from "../labels/order-labels.ts";
import { isGuest, isInit, mainName } from "../labels/pod-labels.ts";
import type { View } from "../log/view.ts";
import type { Labels } from "../objects/meta.ts";
import type { Service, ServiceSpec } from "../objects/service.ts";
import { isWanted, slotName, type Task } from "../objects/task.ts";

/** The docker client's label for the name of an object's stack. */
export const stackLabel = "com.docker.stack.namespace";

/** Whether what the state says of the node's tasks is true since the node last started. */
export type Trust = (id: NodeId) => boolean;

type Named = Pick<ServiceSpec, "Name" | "Labels">;

export function dependenciesOf(labels: Labels | undefined): readonly Dependency[] {
  return readLabel(dependsOnLabel, labels) ?? [];
}

/**
 * Returns: what a new task of the service waits for, such as `waits for shop_db to be healthy`; undefined when it
 *          may start. Services in a circle do not wait: a rollback may close one that was refused before.
 */
export function waitsFor(view: View, spec: ServiceSpec, trust: Trust): string | undefined {
  return told(view, spec, (dependency, service) => lackOf(view, { dependency, service, trust }));
}

/** As waitsFor(), for an update, which also waits while a dependency is updated itself. */
export function updateWaitsFor(view: View, spec: ServiceSpec, trust: Trust): string | undefined {
  return told(view, spec, (dependency, service) => {
    const State = service?.UpdateStatus?.State;
    if (State === "updating" || State === "rollback_started") return "to be updated";
    return lackOf(view, { dependency, service, trust });
  });
}

/**
 * Returns: the names along a circle of dependencies, such as `["a", "b", "a"]`, that the service would close;
 *          undefined if there is none. In a pod, the main service waits for init containers, and other parts for it.
 */
export function dependencyCircle(
  view: Pick<View, "services">,
  spec: Named,
): readonly string[] | undefined {
  const services = byName(view);
  const specOf = (name: string): Named | undefined =>
    name === spec.Name ? spec : services.get(name)?.Spec;
  const others = initsIn(view).filter(({ Name }) => Name !== spec.Name);
  return circleFrom(spec, specOf, isInit(spec.Labels) ? [...others, spec] : others);
}

/** As dependencyCircle(), among services that need not be in the state. `inits`: those that run before their main service. */
export function circleFrom(
  start: Named,
  specOf: (name: string) => Named | undefined,
  inits: readonly Named[] = [],
): readonly string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue: Named[] = [start];
  for (let at = 0; at < queue.length; at += 1) {
    const from = queue[at] as Named;
    for (const target of awaitedBy(from, specOf, inits)) {
      if (target.Name === start.Name) return pathTo(from.Name, start.Name, cameFrom);
      if (cameFrom.has(target.Name)) continue;
      cameFrom.set(target.Name, from.Name);
      queue.push(target);
    }
  }
  return undefined;
}

function awaitedBy(
  from: Named,
  specOf: (name: string) => Named | undefined,
  inits: readonly Named[],
): readonly Named[] {
  const names = dependenciesOf(from.Labels).map(({ name }) => name);
  if (isGuest(from.Labels)) names.push(mainName(from.Labels) ?? "");
  const own = inits.filter((init) => {
    return meant(init, mainName(init.Labels) ?? "", specOf)?.Name === from.Name;
  });
  return [...names.flatMap((name) => meant(from, name, specOf) ?? []), ...own];
}

/** A cache, as `indexes`. */
const initsOf = new WeakMap<readonly Service[], readonly Named[]>();

function initsIn(view: Pick<View, "services">): readonly Named[] {
  const services = view.services();
  const known = initsOf.get(services);
  if (known !== undefined) return known;
  const found = services.map(({ Spec }) => Spec).filter(({ Labels }) => isInit(Labels));
  initsOf.set(services, found);
  return found;
}

function pathTo(last: string, start: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const path = [start];
  for (let name = last; name !== start; name = cameFrom.get(name) ?? start) path.unshift(name);
  return [start, ...path];
}

/** Returns: the service that the name means to a service with this spec. */
export function serviceMeant(
  view: Pick<View, "services">,
  spec: Named,
  name: string,
): Service | undefined {
  const services = byName(view);
  return meant(spec, name, (whole) => services.get(whole));
}

/** Returns: the service of the same stack, else the service of that whole name. */
function meant<Found>(
  { Labels }: Named,
  name: string,
  find: (name: string) => Found | undefined,
): Found | undefined {
  const stack = Labels?.[stackLabel];
  return (stack === undefined ? undefined : find(`${stack}_${name}`)) ?? find(name);
}

function told(
  view: View,
  spec: ServiceSpec,
  lack: (dependency: Dependency, service: Service | undefined) => string | undefined,
): string | undefined {
  const dependencies = dependenciesOf(spec.Labels);
  if (dependencies.length === 0) return undefined;
  const services = byName(view);
  const lacks = dependencies.flatMap((dependency) => {
    const service = meant(spec, dependency.name, (name) => services.get(name));
    if (dependency.optional && isEmpty(service)) return [];
    const why = lack(dependency, service);
    return why === undefined ? [] : [`${service?.Spec.Name ?? dependency.name} ${why}`];
  });
  if (lacks.length === 0 || dependencyCircle(view, spec) !== undefined) return undefined;
  return `waits for ${lacks.join(", ")}`;
}

const wanted: Record<DependencyCondition, string> = {
  started: "to start",
  healthy: "to be healthy",
  completed: "to complete",
};

function lackOf(
  view: View,
  {
    dependency: { condition },
    service,
    trust,
  }: {
    readonly dependency: Dependency;
    readonly service: Service | undefined;
    readonly trust: Trust;
  },
): string | undefined {
  const what = wanted[condition];
  if (service === undefined) return `${what} (there is no such service)`;
  if (condition === "completed") return hasCompleted(view, service) ? undefined : what;
  if (isEmpty(service)) return `${what} (it has no replicas)`;
  const far = view.tasksOf(service.ID).filter((task) => isFar(view, task, condition));
  if (far.some(({ NodeID }) => NodeID !== undefined && trust(NodeID))) return undefined;
  return far.length === 0 ? what : `${what} (its host has not said yet what runs there)`;
}

/** Whether the service does not exist, or is scaled to 0. */
function isEmpty(service: Service | undefined): boolean {
  if (service === undefined) return true;
  // A part of a pod has as many replicas as its main service.
  const isPart = mainName(service.Spec.Labels) !== undefined;
  return !isPart && service.Spec.Mode.Replicated?.Replicas === 0;
}

/** A worker says "running" only after the health check has passed, if there is one. */
function isFar(view: View, task: Task, condition: DependencyCondition): boolean {
  const node = task.NodeID === undefined ? undefined : view.node(task.NodeID);
  if (!isWanted(task) || node?.Status.State !== "ready") return false;
  const { State, ContainerStatus } = task.Status;
  if (State === "running") return true;
  return condition === "started" && State === "starting" && Boolean(ContainerStatus?.PID);
}

/** Whether each place of the service has a task of the present template, or the job's present run, that succeeded. */
function hasCompleted(view: View, { ID, Spec, Gam, JobStatus }: Service): boolean {
  const isJob = JobStatus !== undefined;
  const run = JobStatus?.JobIteration.Index ?? 0;
  const tasks = view.tasksOf(ID).filter((task) => {
    return isJob
      ? (task.JobIteration?.Index ?? 0) === run
      : task.Gam.templateVersion === Gam.templateVersion;
  });
  const places = [...Map.groupBy(tasks, slotName).values()];
  const { Mode } = Spec;
  // An init container has as many places as its main service has tasks on nodes, whatever its own spec says.
  const isPart = mainName(Spec.Labels) !== undefined;
  const { ReplicatedJob: job, Replicated: replicated } = Mode;
  const least = job
    ? (job.TotalCompletions ?? job.MaxConcurrent ?? 1)
    : replicated && !isPart
      ? (replicated.Replicas ?? 1)
      : 1;
  const isDone = (place: readonly Task[]): boolean =>
    place.some(({ Status }) => Status.State === "complete");
  return places.length >= least && places.every(isDone);
}

/** A cache. A view returns the same list until a service changes. */
const indexes = new WeakMap<readonly Service[], ReadonlyMap<string, Service>>();

function byName(view: Pick<View, "services">): ReadonlyMap<string, Service> {
  const services = view.services();
  let index = indexes.get(services);
  if (index === undefined) {
    index = new Map(services.map((service) => [service.Spec.Name, service]));
    indexes.set(services, index);
  }
  return index;
}
