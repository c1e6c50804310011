/**
 * Up to date: which tasks of a service an update would leave alone.
 *
 * A task is up to date if its template is the service's present one, or does not really differ from it, or
 * differs only in a placement that the task's node meets; and if its secrets and configs have their present content. Create a new instance for each version of the
 * service. It caches the result for each template: a thousand tasks of one template cost one comparison.
 */
import { sameValue } from "@gam/core";
import type { View } from "../log/view.ts";
import { type Constraint, meetsConstraints, readConstraints } from "../objects/constraint.ts";
import type { ContentVersions } from "../objects/content.ts";
import type { Node } from "../objects/node.ts";
import { matchesPlatform } from "../objects/platform.ts";
import type { Service, ServiceSpec } from "../objects/service.ts";
import type { Task } from "../objects/task.ts";
import { currentContents } from "./content-need.ts";
import { sameTemplate } from "./template.ts";

/** How a template compares with the service's. */
type Likeness = "same" | "other placement" | "other";

export class UpToDate {
  readonly #service: Service;
  readonly #contents: ContentVersions;
  readonly #likenesses = new Map<number, Likeness>();
  readonly #constraints: readonly Constraint[] | undefined;

  constructor(service: Service, view: View) {
    this.#service = service;
    this.#contents = currentContents(view, service.Spec.TaskTemplate);
    this.#constraints = readConstraints(service.Spec.TaskTemplate.Placement?.Constraints);
  }

  /** `node` is the task's node, if that still exists. */
  includes(task: Task, node: Node | undefined): boolean {
    const { templateVersion } = task.Gam;
    if (templateVersion === this.#service.Gam.templateVersion) return true;
    let likeness = this.#likenesses.get(templateVersion);
    if (likeness === undefined) {
      const hasContents = sameValue(task.Gam.contents, this.#contents);
      likeness = hasContents ? likenessOf(task, this.#service.Spec) : "other";
      this.#likenesses.set(templateVersion, likeness);
    }
    if (likeness !== "other placement") return likeness === "same";
    if (node === undefined) return false;
    const { Placement } = this.#service.Spec.TaskTemplate;
    return meetsConstraints(this.#constraints, node) && matchesPlatform(Placement?.Platforms, node);
  }
}

function likenessOf(task: Task, now: ServiceSpec): Likeness {
  // Tasks got the service's networks in their own spec when they were created.
  const { Networks: _, ...spec } = now;
  const { endpoint: EndpointSpec, serviceLabels: Labels } = task.Gam;
  const then: ServiceSpec = { ...spec, TaskTemplate: task.Spec, EndpointSpec, Labels };
  if (sameTemplate(now, then)) return "same";
  const Placement = now.TaskTemplate.Placement ?? {};
  const placed = { ...then, TaskTemplate: { ...task.Spec, Placement } };
  return sameTemplate(now, placed) ? "other placement" : "other";
}
