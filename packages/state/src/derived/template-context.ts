import type { Node } from "../objects/node.ts";
import { containerName, type Task } from "../objects/task.ts";
import type { TemplateContext } from "./expand-template.ts";

/** Returns: the values that templates in a task's spec can use. */
export function templateContext(task: Task, node: Node): TemplateContext {
  const name = containerName(task);
  return {
    Service: { ID: task.ServiceID, Name: task.Gam.serviceName, Labels: task.Gam.serviceLabels },
    Node: {
      ID: node.ID,
      Hostname: node.Description.Hostname,
      Platform: {
        Architecture: node.Description.Platform.Architecture,
        OS: node.Description.Platform.OS,
      },
    },
    Task: { ID: task.ID, Name: name, Slot: task.Slot === undefined ? node.ID : String(task.Slot) },
  };
}
