/**
 * Why: explains a task, a service or a node from one peer's copy of the state.
 *
 * Any peer can compute it: the filters and ranks are those of the scheduler, asked once more for the task. What
 * only the host of a container knows (its log, its health check) is added by the agent. Changes nothing.
 */
import type { NodeId, ServiceId, TaskId } from "@gam/core";
import { Allocator } from "@gam/network";
import { judgeNodes, type NodeVerdict } from "@gam/scheduler";
import {
  activeRuns,
  containerOptions,
  gpuKind,
  hostPorts,
  isInit,
  isJob,
  isTerminal,
  isWaiting,
  isWanted,
  kindAndCount,
  type Node,
  networkNeed,
  type Service,
  slotName,
  type Task,
  type Usage,
  type View,
} from "@gam/state";
import type { WhyAsked, WhyNode, WhyReport, WhyTask } from "@gam/state/answers";
import { nodeCauses } from "./node-causes.ts";
import { serviceCauses } from "./service-causes.ts";
import { hostnameOf, taskCauses, taskName } from "./task-causes.ts";

export interface WhyFacts {
  readonly usage: ReadonlyMap<NodeId, Usage>;
  readonly nowMs: number;
  /** Whether this peer knows a leader. */
  readonly led: boolean;
}

export type ObjectReference =
  | { readonly kind: "task"; readonly id: TaskId }
  | { readonly kind: "service"; readonly id: ServiceId }
  | { readonly kind: "node"; readonly id: NodeId };

/** Tasks in one report. */
const tasksMax = 5;

/** Returns: undefined when there is no such object. */
export function explainWhy(
  view: View,
  subject: ObjectReference,
  facts: WhyFacts,
): WhyReport | undefined {
  const leaderless = facts.led
    ? []
    : ['This host knows no leader, so nothing new is scheduled. Run "gam status"'];
  const report = reportOf(view, subject, facts);
  return report && { ...report, causes: [...leaderless, ...report.causes] };
}

function reportOf(view: View, subject: ObjectReference, facts: WhyFacts): WhyReport | undefined {
  switch (subject.kind) {
    case "task": {
      const task = view.task(subject.id);
      return task && whyTask(view, task, facts);
    }
    case "service": {
      const service = view.service(subject.id);
      return service && whyService(view, service, facts);
    }
    case "node": {
      const node = view.node(subject.id);
      return node && whyNode(view, node, facts);
    }
  }
}

function whyTask(view: View, task: Task, facts: WhyFacts): WhyReport {
  const verdicts = judged(view, task, facts);
  return {
    ...{ kind: "task", id: task.ID, name: taskName(task) },
    causes: taskCauses(view, task, { verdicts, nowMs: facts.nowMs }),
    ...{ asked: askedBy(task), nodes: nodesOf(view, verdicts) },
    tasks: [task, ...failedBefore(view, task)].map((one) => shown(view, one)),
  };
}

/** Returns: the last failed task in the place of one that has not come up yet: its log says why it is tried again. */
function failedBefore(view: View, task: Task): Task[] {
  if (!isWanted(task) || isTerminal(task.Status.State)) return [];
  const inPlace = view.tasksOf(task.ServiceID).filter((one) => slotName(one) === slotName(task));
  const failed = inPlace.findLast(hasFailed);
  return failed === undefined || task.Status.State === "running" ? [] : [failed];
}

function whyService(view: View, service: Service, facts: WhyFacts): WhyReport {
  const tasks = troubled(presentTasks(view, service));
  const model = tasks[0] ?? modelTask(view, service);
  const verdicts = judged(view, model, facts);
  return {
    ...{ kind: "service", id: service.ID, name: service.Spec.Name },
    causes: serviceCauses(view, service, {
      ...{ nowMs: facts.nowMs, tasks },
      verdictsOf: (task) => (task === model ? verdicts : judged(view, task, facts)),
      modelVerdicts: verdicts,
    }),
    ...{ asked: askedBy(model), nodes: nodesOf(view, verdicts) },
    tasks: tasks.slice(0, tasksMax).map((task) => shown(view, task)),
  };
}

function whyNode(view: View, node: Node, facts: WhyFacts): WhyReport {
  const waiting = view.tasksWaiting();
  const here = troubled(view.tasksOn(node.ID));
  const model = waiting[0] ?? here[0];
  const verdicts = model === undefined ? [] : judged(view, model, facts);
  const own = verdicts.filter((verdict) => verdict.node === node.ID);
  const verdictOf = (task: Task): NodeVerdict | undefined =>
    judged(view, task, facts).find((verdict) => verdict.node === node.ID);
  return {
    ...{ kind: "node", id: node.ID, name: hostnameOf(node) },
    causes: nodeCauses(view, node, { waiting, verdictOf }),
    ...{ asked: null, nodes: nodesOf(view, own) },
    tasks: here.slice(0, tasksMax).map((task) => shown(view, task)),
  };
}

function judged(view: View, task: Task, { usage, nowMs }: WhyFacts): NodeVerdict[] {
  return judgeNodes(view, task, { usage, nowMs, reaches: new Allocator().reach(view) });
}

/** Returns: the service's tasks; of a job those of its active runs and of the newest one. */
function presentTasks(view: View, service: Service): readonly Task[] {
  const tasks = view.tasksOf(service.ID);
  if (!isJob(service.Spec)) return tasks;
  const newest = service.JobStatus?.JobIteration.Index ?? 0;
  const runs = new Set([newest, ...activeRuns(service).map(({ iteration }) => iteration)]);
  return tasks.filter(({ JobIteration }) => runs.has(JobIteration?.Index ?? 0));
}

/**
 * Returns: the newest task of each place that does not run as wanted, those that wait first. Of places whose tasks
 *          all run: the last task that failed, if it is still listed.
 */
function troubled(tasks: readonly Task[]): Task[] {
  const places = Map.groupBy(tasks, (task) => `${task.ServiceID} ${slotName(task)}`);
  const found = [...places.values()].flatMap((inPlace) => {
    const current = inPlace.findLast(isWanted) ?? inPlace.at(-1);
    const failed = inPlace.findLast(hasFailed);
    const runsToEnd = current?.JobIteration !== undefined || isInit(current?.Gam.serviceLabels);
    const isDone = current?.Status.State === "complete" && runsToEnd;
    const runs = current?.Status.State === "running" && isWanted(current);
    return [
      ...(runs || isDone || current === undefined ? [] : [current]),
      ...(failed ? [failed] : []),
    ];
  });
  const rank = (task: Task): number => (isWaiting(task) ? 0 : hasFailed(task) ? 1 : 2);
  return [...new Set(found)].sort((a, b) => rank(a) - rank(b) || compareAges(a, b));
}

/** Less than 0 if `a` reached its state later. */
function compareAges(a: Task, b: Task): number {
  return Date.parse(b.Status.Timestamp) - Date.parse(a.Status.Timestamp);
}

function hasFailed({ Status }: Task): boolean {
  return Status.State === "failed" || Status.State === "rejected";
}

/** A task as the service would get it now, to judge nodes by. */
function modelTask(view: View, service: Service): Task {
  const { Runtime: _, ...template } = service.Spec.TaskTemplate;
  const Networks = template.Networks ?? service.Spec.Networks;
  const endpoint = service.Spec.EndpointSpec ?? {};
  const task: Task = {
    ...{ Version: service.Version, CreatedAt: service.UpdatedAt, UpdatedAt: service.UpdatedAt },
    ...{ ID: "" as TaskId, Labels: {}, ServiceID: service.ID },
    Spec: { ...template, ...(Networks && { Networks }) },
    Status: { Timestamp: service.UpdatedAt, State: "pending" },
    DesiredState: "running",
    Gam: {
      templateVersion: service.Gam.templateVersion,
      endpoint,
      serviceName: service.Spec.Name,
      serviceLabels: service.Spec.Labels ?? {},
      ...{ credentials: false, startAfterMs: 0, after: "", restart: false },
      ...{ contents: {}, attachments: [] },
    },
  };
  const attachments = networkNeed(task, view).networks.map((network) => ({ network, address: "" }));
  return { ...task, Gam: { ...task.Gam, attachments } };
}

function askedBy({ Spec, Gam }: Task): WhyAsked {
  const reserved = Spec.Resources?.Reservations;
  const ports = hostPorts(Gam.endpoint).filter((port) => port.PublishedPort);
  return {
    nanoCpus: reserved?.NanoCPUs ?? 0,
    memoryBytes: reserved?.MemoryBytes ?? 0,
    generic: (reserved?.GenericResources ?? []).map((one) => {
      const [kind, count] = kindAndCount(one);
      const isWhole = kind === gpuKind && containerOptions(Gam.serviceLabels).allGpus !== undefined;
      return `${kind}=${isWhole ? "all" : count}`;
    }),
    ports: ports.map((port) => `${port.Protocol ?? "tcp"}/${port.PublishedPort}`),
    constraints: [...(Spec.Placement?.Constraints ?? [])],
  };
}

/** The suitable nodes first, the best one at the top. */
function nodesOf(view: View, verdicts: readonly NodeVerdict[]): WhyNode[] {
  const last = verdicts.length + 1;
  return [...verdicts]
    .sort((a, b) => (a.rank ?? last) - (b.rank ?? last))
    .flatMap(({ node: id, rank, ...verdict }): WhyNode[] => {
      const node = view.node(id);
      if (node === undefined) return [];
      const { NanoCPUs, MemoryBytes } = node.Description.Resources;
      return [
        {
          ...{ id, hostname: hostnameOf(node), rank: rank ?? null, ...verdict },
          ...{ nanoCpus: NanoCPUs, memoryBytes: MemoryBytes },
        },
      ];
    });
}

function shown(view: View, task: Task): WhyTask {
  const { Status } = task;
  const node = task.NodeID === undefined ? undefined : view.node(task.NodeID);
  const hasEnded = isTerminal(Status.State) && Status.ContainerStatus !== undefined;
  return {
    ...{ id: task.ID, name: taskName(task), node: node ? hostnameOf(node) : (task.NodeID ?? "") },
    ...{ state: Status.State, desired: task.DesiredState, at: Status.Timestamp },
    error: Status.Err ?? "",
    exitCode: hasEnded ? (Status.ContainerStatus?.ExitCode ?? null) : null,
    ...{ engine: [], log: [], unread: "" },
  };
}
