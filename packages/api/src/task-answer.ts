import type { Task } from "@gam/state";
import { attachedNetwork } from "./network-answer.ts";
import type { Naming } from "./reference.ts";

export const taskNaming: Naming<Task> = {
  kind: "task",
  id: (task) => task.ID,
  names: (task) => [taskName(task)],
};

/** The task's name in listings and look-ups: `web.1.ID`. */
function taskName(task: Task): string {
  return `${task.Gam.serviceName}.${task.Slot ?? task.NodeID ?? ""}.${task.ID}`;
}

/** The Engine API's task, without what gam keeps beside it. */
export function taskAnswer(task: Task): object {
  const { Gam: _, NetworksAttachments: attachments, Spec, Status, ...seen } = task;
  const { Runtime: __, ...spec } = Spec;
  // The first slot of a job is 0, and clients take an absent one for that.
  if (seen.Slot === 0) delete (seen as { Slot?: number }).Slot;
  return {
    ...seen,
    Spec: spec,
    Status: { ...Status, PortStatus: Status.PortStatus ?? {} },
    ...(attachments && {
      NetworksAttachments: attachments.map((one) => ({
        ...one,
        Network: attachedNetwork(one.Network),
      })),
    }),
  };
}
