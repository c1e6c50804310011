/**
 * Convergence: how far the services of a stack are, judged as the docker client does.
 *
 * Decides when a service has converged, failed or is under way, and the words for it. Does not wait:
 * stack-wait.ts asks again.
 */
import { isInit, mainName } from "@gam/state";
import type { NodeItem, ServiceItem, TaskItem } from "../agent/engine-calls.ts";

export interface ServiceProgress {
  readonly name: string;
  /** How long its tasks must have run. */
  readonly monitorMs: number;
  readonly running: number;
  readonly wanted: number;
  readonly state: "waiting" | "converged" | "done" | "failed";
  /** What happens, in one line. */
  readonly words: string;
}

export interface ProgressOptions {
  /** The tasks of the service that are up to date. */
  readonly tasks: readonly TaskItem[];
  readonly nodes: readonly NodeItem[];
  /** When the last update of the service before this deploy began; "" for none. */
  readonly before: string;
}

const states = [
  ...["new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting"],
  ...["running", "complete", "shutdown", "failed", "rejected"],
];
const runningRank = states.indexOf("running");
const rank = (state: string): number => states.indexOf(state);

/** Returns: how far the service is. */
export function progressOf(service: ServiceItem, options: ProgressOptions): ServiceProgress {
  const { Mode } = service.Spec;
  const status = statusOf(service, options.before);
  if (Mode?.ReplicatedJob !== undefined || Mode?.GlobalJob !== undefined) {
    return jobProgress(service, options);
  }
  const current = newest(service, options);
  if (isInit(service.Spec.Labels)) return initProgress(service, current);
  // A part of a pod has a task with each task of its main service, and that service is waited for as well.
  const isPart = mainName(service.Spec.Labels) !== undefined;
  const isCounted = Mode?.Global === undefined && !isPart;
  const wanted = isCounted ? (Mode?.Replicated?.Replicas ?? 1) : current.length;
  const running = current.filter(runs).length;
  const isWhole = isCounted || isPart || wanted > 0;
  const counted = { ...ofService(service), running, wanted };
  if (status?.failed) return { ...counted, state: "failed", words: status.words };
  if (running === wanted && isWhole) {
    const words = isPart && wanted === 0 ? wordsOfNone(service) : "all tasks run";
    return { ...counted, state: "converged", words };
  }
  const errors = current.flatMap(({ Status }) => Status.Err || []);
  // Nothing starts these tasks again, so waiting would never end.
  const hasEnded =
    current.length > 0 && current.every(({ DesiredState }) => rank(DesiredState) > runningRank);
  if (hasEnded) {
    const reason = errors[0] ?? "its tasks ended and are not restarted";
    return { ...counted, state: "failed", words: reason };
  }
  return { ...counted, state: "waiting", words: status?.words ?? errors[0] ?? wordsOf(current) };
}

const monitorNsDefault = 5e9;

function ofService({ Spec }: ServiceItem): { readonly name: string; readonly monitorMs: number } {
  return { name: Spec.Name, monitorMs: (Spec.UpdateConfig?.Monitor || monitorNsDefault) / 1e6 };
}

/** Returns: that a service of the stack does not exist any more. */
export function goneProgress(name: string): ServiceProgress {
  const words = "somebody removed the service";
  return { name, monitorMs: 0, running: 0, wanted: 0, state: "failed", words };
}

function runs({ DesiredState, Status }: TaskItem): boolean {
  return rank(DesiredState) <= runningRank && Status.State === "running";
}

/** What Swarm says about the update of this deploy. A rollback means that the new spec does not run. */
function statusOf(
  { UpdateStatus }: ServiceItem,
  before: string,
): { readonly failed: boolean; readonly words: string } | undefined {
  const { State = "", Message = "", StartedAt = "" } = UpdateStatus ?? {};
  const isNew = StartedAt !== before;
  switch (State) {
    case "paused":
      return { failed: true, words: `update paused: ${Message}` };
    case "rollback_paused":
      return { failed: true, words: `rollback paused: ${Message}` };
    case "rollback_completed":
      return isNew ? { failed: true, words: `rolled back: ${Message}` } : undefined;
    case "rollback_started":
      return isNew ? { failed: false, words: `rolling back: ${Message}` } : undefined;
    default:
      return undefined;
  }
}

/** One task for each slot or node: that with the lowest desired state, then the lowest state. */
function newest(
  { Spec }: ServiceItem,
  { tasks, nodes }: Pick<ProgressOptions, "tasks" | "nodes">,
): TaskItem[] {
  const down = new Set(nodes.flatMap(({ ID, Status }) => (Status?.State === "down" ? [ID] : [])));
  const found = new Map<string, TaskItem>();
  for (const task of tasks) {
    const { Slot, NodeID = "", DesiredState, Status } = task;
    if (rank(DesiredState) < 0 || rank(Status.State) < 0 || down.has(NodeID)) continue;
    const key = Spec.Mode?.Global === undefined ? String(Slot ?? "") : NodeID;
    const known = found.get(key);
    const order = (one: TaskItem): number =>
      rank(one.DesiredState) * states.length + rank(one.Status.State);
    if (known === undefined || order(task) < order(known)) found.set(key, task);
  }
  return [...found.values()];
}

function jobProgress(service: ServiceItem, { tasks }: ProgressOptions): ServiceProgress {
  const index = service.JobStatus?.JobIteration?.Index ?? 0;
  const current = tasks.filter(({ JobIteration }) => (JobIteration?.Index ?? 0) === index);
  const { ReplicatedJob: job } = service.Spec.Mode ?? {};
  const complete = current.filter(({ Status }) => Status.State === "complete").length;
  const wanted = job === undefined ? nodesOf(current) : (job.TotalCompletions ?? 1);
  const counted = { ...ofService(service), running: complete, wanted };
  // The next run may be due in a year.
  if (service.Spec.Labels?.["gam.cron"]) {
    return { ...counted, state: "done", words: "runs by its schedule" };
  }
  if (wanted > 0 && complete >= wanted) return { ...counted, state: "done", words: "job complete" };
  const errors = current.flatMap(({ Status }) => Status.Err || []);
  return { ...counted, state: "waiting", words: errors.at(-1) ?? wordsOf(current) };
}

/** The main service waits for them where they have to run: those of pods that run already have nothing to do. */
function initProgress(service: ServiceItem, current: readonly TaskItem[]): ServiceProgress {
  const running = current.filter(({ Status }) => Status.State === "complete").length;
  const counted = { ...ofService(service), running, wanted: current.length };
  if (running === current.length) {
    const words = running === 0 ? wordsOfNone(service) : "ran to its end";
    return { ...counted, state: "done", words };
  }
  const errors = current.flatMap(({ Status }) => Status.Err || []);
  return { ...counted, state: "waiting", words: errors.at(-1) ?? wordsOf(current) };
}

/** For a part of a pod. The name may be mistyped. */
function wordsOfNone({ Spec }: ServiceItem): string {
  return `runs with the tasks of ${mainName(Spec.Labels)}, which has none yet or does not exist`;
}

function nodesOf(tasks: readonly TaskItem[]): number {
  return new Set(tasks.map(({ NodeID }) => NodeID)).size;
}

function wordsOf(tasks: readonly TaskItem[]): string {
  if (tasks.length === 0) return "waiting for tasks";
  const counts = new Map<string, number>();
  for (const { Status } of tasks) counts.set(Status.State, (counts.get(Status.State) ?? 0) + 1);
  return [...counts]
    .sort(([a], [b]) => rank(b) - rank(a))
    .map(([state, count]) => `${count} ${state}`)
    .join(", ");
}

/** Returns: `shop_web: 2/3, 1 preparing`. */
export function progressLine({ name, running, wanted, words }: ServiceProgress): string {
  return `${name}: ${running}/${wanted}, ${words.replaceAll("\n", " ")}`;
}
