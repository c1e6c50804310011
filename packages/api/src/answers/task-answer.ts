import {
  compareStates,
  isTerminal,
  predefinedNetworks,
  restartNote,
  type Task,
  type TaskStatus,
  type View,
  waitsFor,
  waitsForInit,
} from "@gam/state";
import type { Naming } from "../request/reference.ts";
import { attachedNetwork } from "./network-answer.ts";

export const taskNaming: Naming<Task> = {
  kind: "task",
  id: (task) => task.ID,
  names: (task) => [taskName(task)],
};

/** The task's name in listings and look-ups: `web.1.ID`. */
function taskName(task: Task): string {
  return `${task.Gam.serviceName}.${task.Slot ?? task.NodeID ?? ""}.${task.ID}`;
}

/**
 * The Engine API's task, without what gam keeps beside it. As in Swarm, the ingress network comes first. A task that
 * waits in a crash loop says so where clients show errors.
 */
export function taskAnswer(task: Task, view: View, nowMs: number): object {
  const { Gam, Spec, Status: _, ...seen } = task;
  const Status = statusOf(task, view);
  const { Runtime: __, ...spec } = Spec;
  // Clients read an absent slot as 0, the first slot of a job.
  if (seen.Slot === 0) delete (seen as { Slot?: number }).Slot;
  const networks = view.networks();
  const places = Gam.attachments.flatMap(({ network: id, address }) => {
    const network = networks.find(({ Id }) => Id === id);
    return network === undefined ? [] : [{ network, address }];
  });
  const addressed = places
    .toSorted((a, b) => Number(b.network.Ingress) - Number(a.network.Ingress))
    .map(({ network, address }) => {
      const prefix = network.IPAM.Config[0]?.Subnet?.split("/")[1] ?? "32";
      return { Network: attachedNetwork(network), Addresses: [`${address}/${prefix}`] };
    });
  const attachments = [...predefinedIn(task), ...addressed];
  const note = restartNote(task, nowMs);
  return {
    ...seen,
    Spec: spec,
    Status: {
      ...Status,
      ...(note && { Err: note }),
      ...(isEndedOnNode(task) && { ContainerStatus: Status.ContainerStatus ?? noContainer }),
      PortStatus: Status.PortStatus ?? {},
    },
    ...(attachments.length > 0 && { NetworksAttachments: attachments }),
  };
}

/** A task that may not start yet says which services it waits for. Its worker does not know. */
function statusOf(task: Task, view: View): TaskStatus {
  const { Status, DesiredState, ServiceID } = task;
  if (DesiredState !== "ready" || Status.Err || isTerminal(Status.State)) return Status;
  const service = view.service(ServiceID);
  const Err = service && waitsFor(view, service.Spec, () => true);
  const why = Err ?? waitsForInit(view, task);
  return why === undefined ? Status : { ...Status, Err: why };
}

/** What Swarm shows of a task that ended on its node before it had a container. */
const noContainer = { ContainerID: "", PID: 0, ExitCode: 0 };

function isEndedOnNode({ NodeID, Status }: Task): boolean {
  return NodeID !== undefined && isTerminal(Status.State);
}

/** In networks of the engine, such as `host`, the cluster gives out no addresses. */
function predefinedIn({ Spec }: Task): readonly object[] {
  return predefinedNetworks
    .filter(({ Id }) => Spec.Networks?.some(({ Target }) => Target === Id))
    .map((network) => ({ Network: attachedNetwork(network) }));
}

/** Returns: whether the task's container exists, or once did. */
export function hasContainer(task: Task): boolean {
  if (task.NodeID === undefined || compareStates(task.Status.State, "starting") < 0) return false;
  return Boolean(task.Status.ContainerStatus?.ContainerID);
}
