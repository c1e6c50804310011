/**
 * Checkers: what must hold whatever happens, and what must come true when nothing happens any more.
 *
 * Safety is looked at with every effect of every peer; a breach is thrown where it is seen. What must
 * come true is asked with unsettled(), which says what is still missing.
 */
import type { NodeId, ServiceId } from "@gam/core";
import { compareStates, type Event, type Service, type Task, type View } from "@gam/state";
import type { Host } from "./host.ts";

export class Breach extends Error {
  override readonly name = "Breach";
}

/** A write that a client was told is done. */
export interface Acknowledged {
  readonly kind: "create" | "update" | "remove";
  readonly service: ServiceId;
  readonly index: number;
}

export class Checkers {
  readonly #leaders = new Map<number, NodeId>();
  readonly #entries = new Map<number, { readonly digest: string; readonly by: NodeId }>();
  readonly #acknowledged: Acknowledged[] = [];
  /** Removals that were asked for, whatever came of them. */
  readonly #doomed = new Set<ServiceId>();
  #downs = 0;
  /** Set while nothing happens that could excuse it. */
  evictionForbidden = false;

  get downs(): number {
    return this.#downs;
  }

  /** One leader per term. */
  leads(term: number, host: NodeId): void {
    const known = this.#leaders.get(term);
    if (known !== undefined && known !== host) {
      throw new Breach(`term ${term} has two leaders, ${known} and ${host}`);
    }
    this.#leaders.set(term, host);
  }

  /** Committed prefixes equal: an entry means the same to everybody, also after a restart. */
  happened(host: NodeId, index: number, events: readonly Event[], hosts: readonly Host[]): void {
    const digest = events.map(digestOf).join(" ");
    const known = this.#entries.get(index);
    if (known !== undefined) {
      if (known.digest === digest) return;
      throw new Breach(
        `entry ${index} is "${known.digest}" to ${known.by} and "${digest}" to ${host}`,
      );
    }
    this.#entries.set(index, { digest, by: host });
    for (const event of events) {
      this.#look(event, index);
      if (event.table === "task" && event.after !== undefined) ranWhenItSaidSo(event.after, hosts);
      if (event.table === "node") wasThereWhenItCameBack(event, hosts);
    }
  }

  asked(kind: Acknowledged["kind"], service: ServiceId): void {
    if (kind === "remove") this.#doomed.add(service);
  }

  acknowledged(write: Acknowledged): void {
    this.#acknowledged.push(write);
  }

  #look(event: Event, index: number): void {
    if (event.table === "task" && event.before !== undefined && event.after !== undefined) {
      const [before, after] = [event.before.Status.State, event.after.Status.State];
      if (compareStates(after, before) < 0) {
        throw new Breach(`entry ${index}: task ${event.after.ID} fell from ${before} to ${after}`);
      }
      if (compareStates(event.after.DesiredState, event.before.DesiredState) < 0) {
        throw new Breach(`entry ${index}: desired state of task ${event.after.ID} fell`);
      }
    }
    if (event.table !== "node" || event.after?.Status.State !== "down") return;
    if (event.before?.Status.State === "down") return;
    this.#downs += 1;
    if (this.evictionForbidden) {
      throw new Breach(`entry ${index}: ${event.after.ID} was called down, and it is well`);
    }
  }

  /** What was acknowledged is in this state, which is the newest there is. */
  kept(view: View): void {
    const last = new Map<ServiceId, Acknowledged>();
    for (const write of this.#acknowledged) {
      const known = last.get(write.service);
      if (known === undefined || known.index < write.index) last.set(write.service, write);
    }
    for (const write of last.values()) {
      const service = view.service(write.service);
      if (write.kind === "remove") {
        if (service !== undefined) throw new Breach(`service ${write.service} is back`);
      } else if (service === undefined) {
        if (this.#doomed.has(write.service)) continue;
        throw new Breach(`service ${write.service}, acknowledged at ${write.index}, is lost`);
      } else if (service.Version.Index < write.index) {
        throw new Breach(`write ${write.index} of service ${write.service} is lost`);
      }
    }
  }
}

/** A task that is said to run has been started by its engine. */
function ranWhenItSaidSo(task: Task, hosts: readonly Host[]): void {
  if (task.Status.State !== "running") return;
  const host = hosts.find(({ id }) => id === task.NodeID);
  if (host?.engine.container(task.ID)?.phase !== "created") return;
  throw new Breach(`task ${task.ID} is said to run on ${host.id}, and was not started`);
}

/**
 * Nobody is called ready again who has been off for longer than news of an earlier life may take:
 * settled rumours come every 5 s, and a message is under way for 1.5 s at most.
 */
const staleNewsMs = 8000;

function wasThereWhenItCameBack(
  { before, after }: Extract<Event, { table: "node" }>,
  hosts: readonly Host[],
): void {
  if (before?.Status.State !== "down" || after?.Status.State !== "ready") return;
  const host = hosts.find(({ id }) => id === after.ID);
  // An entry may be committed long after it was planned: what counts is what its leader could know.
  const offMs = host?.offMsAt(Date.parse(after.UpdatedAt)) ?? 0;
  if (host === undefined || offMs < staleNewsMs) return;
  // One that was frozen tells old news when it thaws.
  if (hosts.some(({ thawedAgoMs }) => thawedAgoMs < staleNewsMs)) return;
  throw new Breach(`${host.id} is called ready again, and had been off for ${offMs} ms`);
}

function digestOf(event: Event): string {
  const row = event.after ?? event.before;
  if (row === undefined) return event.table;
  const id = "Id" in row ? row.Id : row.ID;
  const what = event.after === undefined ? "gone" : "";
  if (event.table !== "task") return `${event.table}:${id}:${row.Version.Index}${what}`;
  const task = row as Task;
  return `${id}:${task.Status.State}:${task.DesiredState}:${task.NodeID ?? ""}${what}`;
}

/** What keeps this cluster from being as it was asked to be; undefined when it is. */
export function unsettled(hosts: readonly Host[]): string | undefined {
  const views: View[] = [];
  const leaders = new Set<NodeId | undefined>();
  for (const { id, peer } of hosts) {
    if (peer === undefined) return `${id} is off`;
    views.push(peer.view);
    leaders.add(peer.leader);
  }
  const [view] = views;
  const [leader] = leaders;
  if (view === undefined || leaders.size !== 1 || leader === undefined) {
    return `leaders: ${[...leaders].join(", ")}`;
  }
  if (views.some(({ index }) => index !== view.index)) {
    return `applied: ${views.map(({ index }) => index).join(", ")}`;
  }
  for (const node of view.nodes()) {
    if (node.Status.State !== "ready") return `node ${node.ID} is ${node.Status.State}`;
  }
  for (const service of view.services()) {
    const missing = missingOf(service, view);
    if (missing !== undefined) return `service ${service.Spec.Name}: ${missing}`;
  }
  for (const task of view.tasks()) {
    if (view.service(task.ServiceID) === undefined) return `task ${task.ID} has no service`;
  }
  return containersMissing(hosts, view);
}

function missingOf(service: Service, view: View): string | undefined {
  const { UpdateStatus, Spec } = service;
  if (UpdateStatus?.State === "updating" || UpdateStatus?.State === "rollback_started") {
    return `still ${UpdateStatus.State}`;
  }
  const wanted = view.tasksOf(service.ID).filter(({ DesiredState }) => DesiredState === "running");
  const places =
    Spec.Mode.Global === undefined
      ? Array.from({ length: Spec.Mode.Replicated?.Replicas ?? 1 }, () => "")
      : view.nodes().filter(({ Spec }) => Spec.Availability === "active");
  if (wanted.length !== places.length) return `${wanted.length} tasks for ${places.length} places`;
  const slots = new Set(wanted.map(({ Slot, NodeID }) => Slot ?? NodeID));
  if (slots.size !== wanted.length) return "two tasks in one slot";
  // One that ends by itself is never at rest.
  if (Spec.TaskTemplate.ContainerSpec.Image === "app:flaky") return undefined;
  for (const task of wanted) {
    if (task.Status.State !== "running") return `slot ${task.Slot} is ${task.Status.State}`;
    // A task of an older template counts as one of this when both say the same.
    if (task.Spec.ContainerSpec.Image !== Spec.TaskTemplate.ContainerSpec.Image) {
      if (UpdateStatus?.State.endsWith("paused")) continue;
      return `slot ${task.Slot} is out of date`;
    }
  }
  return undefined;
}

/** What runs is what the state says that runs, container by container. */
function containersMissing(hosts: readonly Host[], view: View): string | undefined {
  for (const host of hosts) {
    const runs = new Set<string>();
    for (const { task, phase } of host.engine.containers()) {
      if (view.task(task) === undefined) return `${host.id} has a stray of task ${task}`;
      if (phase !== "running") continue;
      if (runs.has(task)) return `${host.id} runs task ${task} twice`;
      runs.add(task);
      if (view.task(task)?.DesiredState !== "running") return `${host.id} still runs task ${task}`;
    }
    for (const task of view.tasksOn(host.id)) {
      const { ContainerSpec } = task.Spec;
      if (ContainerSpec.Image === "app:flaky") continue;
      if (
        task.Status.State === "running" &&
        task.DesiredState === "running" &&
        !runs.has(task.ID)
      ) {
        return `${host.id} does not run task ${task.ID}`;
      }
    }
  }
  return undefined;
}
