/**
 * Unsettled: how a cluster still differs from its desired state.
 *
 * For a world in which nothing happens any more: then all differences must go in bounded time. Does
 * not decide how long that may take (storm.ts).
 */
import type { NodeId } from "@gam/core";
import { planNode, unroutedPairs } from "@gam/network";
import {
  cronRules,
  isTerminal,
  isWanted,
  meetsConstraints,
  type Node,
  nodesWithoutNextRoot,
  readConstraints,
  type Service,
  type Task,
  type View,
} from "@gam/state";
import { restless, type SimHost } from "../hosts/host.ts";
import type { Checkers } from "./checkers.ts";
import { idleContent, outdatedContent } from "./contents.ts";
import { addressesMissing } from "./ledger.ts";
import { awaitsVolume } from "./volumes.ts";

/** Usage is measured every second and sent at least every ten, by clocks that differ by at most 4 s. */
const usageAgeMsMax = 30_000;

const overdueMsMax = 5_000;

/** The first difference; undefined when there is none. */
export function unsettled(hosts: readonly SimHost[], checkers: Checkers): string | undefined {
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
  const histories = new Set(views.map((one) => JSON.stringify(one.happenings())));
  if (histories.size > 1) return "peers keep different events";
  return (
    membersMissing(hosts, view, checkers) ??
    servicesMissing(view) ??
    overdue(hosts, view) ??
    containersMissing(hosts, view) ??
    addressesMissing(view) ??
    routesMissing(view) ??
    idleContent(view) ??
    rootMissing(view)
  );
}

function rootMissing(view: View): string | undefined {
  if (view.cluster?.NextRoot === undefined) return undefined;
  const awaited = nodesWithoutNextRoot(view).map(({ ID }) => ID);
  return `root key replacement waits for ${awaited.join(", ") || "no node"}`;
}

/** The first connection that the nodes' plans fail to make. */
function routesMissing(view: View): string | undefined {
  const plans = view.nodes().flatMap(({ ID }) => planNode(view, ID) ?? []);
  return unroutedPairs(plans)[0];
}

/** Checks that hosts match nodes, all are ready, and all know each other. */
function membersMissing(
  hosts: readonly SimHost[],
  view: View,
  checkers: Checkers,
): string | undefined {
  const nodes = view.nodes().map(({ ID }) => ID);
  const ghost = nodes.find((id) => !hosts.some((host) => host.id === id));
  if (ghost !== undefined) return `node ${ghost} has no host`;
  for (const node of view.nodes()) {
    if (node.Status.State !== "ready") return `node ${node.ID} is ${node.Status.State}`;
  }
  for (const host of hosts) {
    const { id, peer } = host;
    if (!nodes.includes(id)) return `${id} is not a member and does not know it`;
    if (checkers.connectedTo(id).toString() !== nodes.toString()) {
      return `${id} is connected to ${checkers.connectedTo(id)}`;
    }
    const { dialect } = view.node(id)?.Gam ?? {};
    if (dialect !== host.dialect.newest)
      return `${id} has dialect ${dialect} in the state, not ${host.dialect.newest}`;
    for (const node of nodes) {
      const atMs = peer?.usage.get(node)?.atMs ?? 0;
      if (Math.abs(host.wallMs - atMs) > usageAgeMsMax) return `${id} has no usage of ${node}`;
    }
    if (peer !== undefined && peer.usage.size > nodes.length)
      return `${id} has usage of peers that are not members`;
  }
  return votersMissing(hosts, view);
}

/** Checks that voters are managers and of the right number. With one voter, all other managers are standbys. */
function votersMissing(hosts: readonly SimHost[], view: View): string | undefined {
  const [host] = hosts;
  const { voters, votersOutgoing, standbys } = host?.peer?.raft.configuration ?? {};
  if (voters === undefined || standbys === undefined || votersOutgoing?.length !== 0)
    return "voters are being changed";
  const managers = view.nodes().filter(({ Spec }) => Spec.Role === "manager");
  const stranger = voters.find((id) => !managers.some(({ ID }) => ID === id));
  if (stranger !== undefined) return `${stranger} votes but is not a manager`;
  const survivable = managers.length >= 5 ? 5 : managers.length >= 3 ? 3 : 1;
  const wanted = Math.min(survivable, host?.votersMax ?? survivable);
  if (voters.length !== wanted)
    return `${voters.length} of ${managers.length} managers vote, wanted ${wanted}`;
  const idle = managers.find(({ ID }) => !voters.includes(ID) && !standbys.includes(ID));
  return voters.length === 1 && idle !== undefined
    ? `manager ${idle.ID} is not a standby`
    : undefined;
}

function servicesMissing(view: View): string | undefined {
  for (const service of view.services()) {
    const missing = missingOf(service, view);
    if (missing !== undefined) return `service ${service.Spec.Name}: ${missing}`;
  }
  for (const task of view.tasks()) {
    if (view.service(task.ServiceID) === undefined) return `task ${task.ID} has no service`;
  }
  return undefined;
}

/** A job that is due, and no leader has handled it. Clocks differ by at most 4 s. */
function overdue(hosts: readonly SimHost[], view: View): string | undefined {
  const slowestMs = Math.min(...hosts.map(({ wallMs }) => wallMs));
  for (const { Spec, Gam } of view.services()) {
    const rules = cronRules(Spec);
    if (rules === undefined || Gam.cron === undefined) continue;
    const { handledMs } = Gam.cron;
    const dueMs = handledMs === undefined ? 0 : rules.time.next(handledMs);
    if (dueMs !== undefined && dueMs < slowestMs - overdueMsMax) return `${Spec.Name} is overdue`;
  }
  return undefined;
}

function missingOf(service: Service, view: View): string | undefined {
  const { Mode } = service.Spec;
  if (Mode.ReplicatedJob !== undefined || Mode.GlobalJob !== undefined) {
    return missingOfJob(service, view);
  }
  const nodes = suitable(service, view);
  const places = Mode.Global === undefined ? (Mode.Replicated?.Replicas ?? 1) : nodes.length;
  const isRestless = restless.has(service.Spec.TaskTemplate.ContainerSpec.Image);
  const wanted = view
    .tasksOf(service.ID)
    .filter((task) => (isRestless ? isWanted(task) : task.DesiredState === "running"));
  const slots = new Set(wanted.map(({ Slot, NodeID }) => Slot ?? NodeID));
  if (slots.size !== places) return `${slots.size} of ${places} slots have a task`;
  const room = Mode.Global === undefined ? nodes.length * perNode(service) : places;
  const awaiting = wanted.filter((task) => awaitsVolume(task, view)).length;
  const fits = Math.min(places, room) - awaiting;
  // If not all tasks fit, an update waits without end.
  const status = service.UpdateStatus?.State;
  const moving = status === "updating" || status === "rollback_started";
  if (moving && fits === places) return `still ${status}`;
  if (isRestless) return undefined;
  if (wanted.length !== places) return `${wanted.length} tasks for ${places} slots`;
  const waiting = wanted.filter(({ Status }) => Status.State !== "running");
  const idle = waiting.find(({ Status }) => Status.State !== "pending" || !Status.Err);
  if (idle !== undefined) return `slot ${idle.Slot} is ${idle.Status.State}`;
  if (waiting.length !== places - fits)
    return `${waiting.length} tasks wait, although ${fits} of ${places} fit`;
  const old = wanted.find((task) => imageOf(task) !== imageOf({ Spec: service.Spec.TaskTemplate }));
  const stale = old ?? outdatedContent(service, view);
  if (stale === undefined || moving || status?.endsWith("paused")) return undefined;
  return `slot ${stale.Slot} is out of date`;
}

function missingOfJob({ ID, Spec, Gam, JobStatus }: Service, view: View): string | undefined {
  // Its runs come and go, also in calm.
  if (Gam.cron !== undefined) return undefined;
  if (restless.has(Spec.TaskTemplate.ContainerSpec.Image)) return undefined;
  const run = JobStatus?.JobIteration.Index ?? 0;
  const tasks = view.tasksOf(ID).filter(({ JobIteration }) => (JobIteration?.Index ?? 0) === run);
  const done = tasks.filter(({ Status }) => Status.State === "complete");
  const { MaxConcurrent = 1, TotalCompletions = MaxConcurrent } = Spec.Mode.ReplicatedJob ?? {};
  const nodes = suitable({ Spec }, view);
  if (Spec.Mode.GlobalJob !== undefined) {
    const lacking = nodes.find((node) => !done.some(({ NodeID }) => NodeID === node.ID));
    return lacking && `${lacking.ID} has not done its job`;
  }
  const slots = new Set(done.map(({ Slot }) => Slot)).size;
  if (nodes.length === 0 || slots === TotalCompletions) return undefined;
  return `${slots} of ${TotalCompletions} are complete`;
}

function imageOf({ Spec }: Pick<Task, "Spec">): string {
  return Spec.ContainerSpec.Image;
}

/** Nodes that may have tasks of the service. */
function suitable({ Spec }: Pick<Service, "Spec">, view: View): Node[] {
  const constraints = readConstraints(Spec.TaskTemplate.Placement?.Constraints);
  return view
    .nodes()
    .filter((node) => node.Spec.Availability === "active" && meetsConstraints(constraints, node));
}

function perNode({ Spec }: Service): number {
  if (Spec.EndpointSpec?.Ports?.some(({ PublishMode }) => PublishMode === "host")) return 1;
  return Spec.TaskTemplate.Placement?.MaxReplicas || Number.MAX_SAFE_INTEGER;
}

/** Checks that the containers are those in the state, and that only their tasks have files. */
function containersMissing(hosts: readonly SimHost[], view: View): string | undefined {
  for (const host of hosts) {
    const runs = new Set<string>();
    for (const { task: id, phase } of host.engine.containers()) {
      const task = view.task(id);
      if (task === undefined) return `${host.id} has a stray of task ${id}`;
      if (phase !== "running") continue;
      if (runs.has(id)) return `${host.id} runs task ${id} twice`;
      runs.add(id);
      if (!isWanted(task)) return `${host.id} still runs task ${id}`;
    }
    for (const id of host.engine.filed()) {
      const task = view.task(id);
      if (task === undefined || isTerminal(task.Status.State)) {
        return `${host.id} still has files of task ${id}`;
      }
    }
    for (const task of view.tasksOn(host.id)) {
      if (restless.has(imageOf(task)) || task.Status.State !== "running") continue;
      if (isWanted(task) && !runs.has(task.ID)) return `${host.id} does not run task ${task.ID}`;
    }
  }
  return undefined;
}
