/** Task causes: why one task is in the state that it is in, as sentences. */
import type { NodeVerdict } from "@gam/scheduler";
import {
  compareStates,
  isAttached,
  isTerminal,
  isWaiting,
  isWanted,
  type Node,
  networkNeed,
  slotName,
  type Task,
  type View,
  waitsFor,
  waitsForInit,
} from "@gam/state";

export interface TaskFacts {
  readonly verdicts: readonly NodeVerdict[];
  readonly nowMs: number;
}

/** Hosts that one sentence names. */
const namedMax = 5;

/** Returns: "web.1", or "web on host2" for a task of a global service. */
export function taskName(task: Task): string {
  return `${task.Gam.serviceName}.${slotName(task)}`;
}

/** Returns: the hostname; the id until the node has reported its hostname. */
export function hostnameOf({ ID, Description }: Node): string {
  return Description.Hostname || ID;
}

/** Returns: at least one sentence. */
export function taskCauses(view: View, task: Task, facts: TaskFacts): string[] {
  if (isWaiting(task)) return whyWaiting(view, task, facts);
  const { State } = task.Status;
  const node = task.NodeID === undefined ? undefined : view.node(task.NodeID);
  if (isTerminal(State)) return whyEnded(view, task, node);
  return [...troublesOf(node), ...whyLive(view, task, { ...facts, node })];
}

function whyWaiting(view: View, task: Task, { verdicts }: TaskFacts): string[] {
  if (!isAttached(task, view)) return [whyUnattached(view, task)];
  const own =
    task.NodeID === undefined ? verdicts : verdicts.filter(({ node }) => node === task.NodeID);
  if (own.length === 0) return ["No node can take it: the node that it was made for is gone"];
  const best = own.find(({ obstacles }) => obstacles.length === 0);
  if (best === undefined) return whyNowhere(view, own);
  const node = view.node(best.node);
  return [
    `It waits for the leader's next plan. It would go to ${node ? hostnameOf(node) : best.node}`,
  ];
}

/** Returns: one sentence for each set of obstacles, that of most nodes first. */
export function whyNowhere(view: View, verdicts: readonly NodeVerdict[]): string[] {
  const groups = Map.groupBy(verdicts, ({ obstacles }) => obstacles.join("; "));
  return [...groups]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([obstacles, nodes]) => `No room on ${hostsText(view, nodes)}: ${obstacles}`);
}

function hostsText(view: View, verdicts: readonly NodeVerdict[]): string {
  const names = verdicts.map(({ node: id }) => {
    const node = view.node(id);
    return node === undefined ? id : hostnameOf(node);
  });
  const more = names.length - namedMax;
  const shown = names.slice(0, namedMax).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}

function whyUnattached(view: View, task: Task): string {
  const { networks, problem } = networkNeed(task, view);
  if (problem !== "") return `It gets no address: ${problem}`;
  const missing = networks.find((id) => {
    return !task.Gam.attachments.some(({ network }) => network === id);
  });
  const network = missing === undefined ? undefined : view.network(missing);
  const said = task.Status.Err ? `: ${task.Status.Err}` : "";
  if (network === undefined) return `It waits for its addresses${said}`;
  const subnet = network.IPAM.Config[0]?.Subnet;
  if (network.Gam.vni === 0) {
    return `It waits for an address in network "${network.Name}", which has no subnet${said || ": the address pools may be used up"}`;
  }
  return `It waits for an address in network "${network.Name}" (${subnet ?? "no subnet"})${said}`;
}

/** What is wrong with the task's node. */
function troublesOf(node: Node | undefined): string[] {
  if (node === undefined) return ["Its node is not in the cluster any more"];
  const name = hostnameOf(node);
  if (node.Status.State !== "ready") {
    const reason = node.Status.Message ? `: ${node.Status.Message}` : "";
    return [`Its host ${name} is ${node.Status.State}${reason}`];
  }
  if (!node.Gam.engine.ready)
    return [`The engine of ${name} does not answer: ${node.Gam.engine.reason}`];
  return [];
}

function whyLive(
  view: View,
  task: Task,
  { nowMs, node }: TaskFacts & { readonly node: Node | undefined },
): string[] {
  const { State, Err = "" } = task.Status;
  const name = node === undefined ? "its node" : hostnameOf(node);
  if (!isWanted(task)) {
    const stopped = `It is being stopped: ${whyUnwanted(view, task)}`;
    return Err === "" ? [stopped] : [`On ${name} it ${Err}, before it is stopped`, stopped];
  }
  if (State === "running") return [`It runs on ${name} since ${task.Status.Timestamp}`];
  if (Err !== "") return [`${name} cannot start it yet: ${Err}`];
  if (task.DesiredState === "ready") return [whyHeld(view, task, nowMs)];
  if (compareStates(State, "accepted") < 0) return [`${name} has not accepted it yet`];
  if (State === "starting")
    return [`It starts on ${name}, and its health check has not passed yet`];
  const { Image } = task.Spec.ContainerSpec;
  return [`${name} prepares it: image ${Image}, networks, files and the container`];
}

/** The task may not run yet. */
function whyHeld(view: View, task: Task, nowMs: number): string {
  const before = task.Gam.after === "" ? undefined : view.task(task.Gam.after);
  if (before !== undefined && !isTerminal(before.Status.State)) {
    const why = before.Status.Err ? `, which ${before.Status.Err}` : "";
    return `It waits until the task before it in its place (${before.ID}) has stopped${why}`;
  }
  const waitS = Math.ceil((task.Gam.startAfterMs - nowMs) / 1000);
  if (waitS > 0)
    return `It is started again in ${waitS} s, by its restart policy${afterCrashes(task)}`;
  const service = view.service(task.ServiceID);
  const others = (service && waitsFor(view, service.Spec, () => true)) ?? waitsForInit(view, task);
  return others === undefined
    ? `It waits for the leader's next plan${afterCrashes(task)}`
    : `It ${others}`;
}

function afterCrashes({ Gam: { crashes } }: Task): string {
  if (crashes === undefined) return "";
  const times = crashes.count === 1 ? "one failure" : `${crashes.count} failures in a row`;
  return `, after ${times}: ${crashes.reason}`;
}

function whyUnwanted(view: View, task: Task): string {
  const service = view.service(task.ServiceID);
  if (service === undefined) return "its service was removed";
  if (task.Gam.templateVersion !== service.Gam.templateVersion) return "its service was updated";
  const node = task.NodeID === undefined ? undefined : view.node(task.NodeID);
  if (node === undefined) return "its node is not in the cluster any more";
  const main = task.Gam.pod === undefined ? undefined : view.task(task.Gam.pod);
  if (main !== undefined && (!isWanted(main) || isTerminal(main.Status.State))) {
    return `the task of its pod, ${taskName(main)}, has ended or is being stopped`;
  }
  const name = hostnameOf(node);
  if (node.Spec.Availability === "drain") return `${name} is drained`;
  if (node.Status.State === "down") return `${name} is down`;
  return "its service has fewer tasks now, or it no longer suits its host";
}

function whyEnded(view: View, task: Task, node: Node | undefined): string[] {
  const { State, Err = "", Message = "" } = task.Status;
  const name = node === undefined ? (task.NodeID ?? "its node") : hostnameOf(node);
  if (State === "complete") return [`It ended by itself on ${name}, with exit code 0`];
  if (State === "failed") return [`It failed on ${name}: ${Err || Message}`];
  if (State === "rejected") return [`${name} could not run it: ${Err || Message}`];
  if (State === "orphaned") return [`It was given up: ${[...troublesOf(node), Err || Message][0]}`];
  return [`It was stopped: ${whyUnwanted(view, task)}`];
}
