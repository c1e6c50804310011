/**
 * Moved: what a change of the state means for this peer's parts.
 *
 * Decides which of them look at the state again, and what they are given of it. Decides nothing about tasks,
 * members or networks themselves.
 */
import type { NodeId, TaskId } from "@gam/core";
import type { Input as MembershipInput } from "@gam/membership";
import { drainMsOf, type Event, type Task, type View } from "@gam/state";
import type { WorkerInput } from "@gam/worker";
import type { Effect } from "../io/effect.ts";

export interface Moved {
  /** A node joined, left or changed. */
  readonly members: boolean;
  /** Something changed that the worker of this node is given: its tasks, any network, or a service's labels. */
  readonly tasks: boolean;
  /** This node is no member any more. */
  readonly removed: boolean;
}

export function whatMoved(events: readonly Event[], self: NodeId): Moved {
  let members = false;
  let tasks = false;
  let removed = false;
  for (const event of events) {
    if (event.table === "node") {
      members = true;
      removed ||= event.before?.ID === self && event.after === undefined;
    }
    if (event.table === "network") tasks = true;
    // Its label says how long tasks drain. A removed service has none, and its tasks may not change for that.
    if (event.table === "service") tasks ||= event.before?.Spec !== event.after?.Spec;
    if (event.table === "task") tasks ||= (event.after ?? event.before)?.NodeID === self;
  }
  return { members, tasks, removed };
}

/** The members in the state, for the mesh (`effect`) and for membership (`input`). */
export function membersOf(view: View): {
  readonly effect: Extract<Effect, { kind: "members" }>;
  readonly input: Extract<MembershipInput, { kind: "members" }>;
} {
  const nodes = view.nodes();
  const members = nodes.map(({ ID, Gam }) => ({ id: ID, addresses: Gam.addresses }));
  const ids = nodes.map(({ ID }) => ID);
  const workers = nodes.filter(({ Spec }) => Spec.Role === "worker").map(({ ID }) => ID);
  return { effect: { kind: "members", members }, input: { kind: "members", ids, workers } };
}

/** All that the state has for the worker of this node. Returns: undefined while the node is no member. */
export function assignedOf(
  view: View,
  { self, caughtUp }: { readonly self: NodeId; readonly caughtUp: boolean },
): Extract<WorkerInput, { kind: "assigned" }> | undefined {
  const { cluster } = view;
  const node = view.node(self);
  if (cluster === undefined || node === undefined) return undefined;
  const tasks = view.tasksOn(self);
  return {
    kind: "assigned",
    cluster: cluster.ID,
    self: node,
    tasks,
    drainsMs: drainsOf(view, tasks),
    networks: view.networks(),
    logDriver: cluster.Spec.TaskDefaults.LogDriver,
    caughtUp,
    index: view.index,
  };
}

/** Of the tasks that may keep their open connections for a while. */
function drainsOf(view: View, tasks: readonly Task[]): ReadonlyMap<TaskId, number> {
  const drains = tasks.map((task): [TaskId, number] => [task.ID, drainMsOf(view, task)]);
  return new Map(drains.filter(([, drainMs]) => drainMs > 0));
}
