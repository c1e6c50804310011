import { meetsConstraints, readConstraints } from "./constraint.ts";
import type { Node } from "./node.ts";
import { matchesPlatform } from "./platform.ts";
import type { Service, ServiceSpec } from "./service.ts";
import type { Task } from "./task.ts";
import { sameTemplate } from "./template.ts";

/**
 * Whether an update of the service would leave the task alone: it was made from the template as it is
 * now, or from one that differs in nothing, or in a placement that its node meets.
 *
 * `node` is the task's, where it has one.
 */
export function isUpToDate(task: Task, service: Service, node: Node | undefined): boolean {
  if (task.Gam.templateVersion === service.Gam.templateVersion) return true;
  const now = service.Spec;
  // Networks of the service were given to its tasks when they were made.
  const { Networks: _, ...spec } = now;
  const then: ServiceSpec = { ...spec, TaskTemplate: task.Spec, EndpointSpec: task.Gam.endpoint };
  if (sameTemplate(now, then)) return true;
  const Placement = now.TaskTemplate.Placement ?? {};
  const placed = { ...then, TaskTemplate: { ...task.Spec, Placement } };
  if (node === undefined || !sameTemplate(now, placed)) return false;
  const constraints = readConstraints(Placement.Constraints);
  return meetsConstraints(constraints, node) && matchesPlatform(Placement.Platforms, node);
}
