/**
 * Depends on: turns `depends_on` of a stack's services into labels that the cluster obeys.
 *
 * The label survives every client. Refuses what could never start: services that are not deployed, circles, and
 * conditions that the other service cannot meet.
 * Source: the Compose specification, "depends_on".
 */
import { circleFrom, type DependencyCondition, dependsOnLabel, stackLabel } from "@gam/state";
import { entryOf } from "./reading/entry-of.ts";
import type { SourcePosition } from "./reading/problem.ts";
import type { NamedService } from "./service-spec.ts";
import type { DependencyEntry } from "./shape/dependency.ts";
import type { ServiceEntry } from "./shape/service-shape.ts";
import { type SpecContext, scoped } from "./stack-names.ts";

const conditions: Record<NonNullable<DependencyEntry["condition"]>, DependencyCondition> = {
  service_started: "started",
  service_healthy: "healthy",
  service_completed_successfully: "completed",
};

type Labels = Readonly<Record<string, string>>;

/**
 * Returns: the labels for each service that has `depends_on`, by its name in the file.
 *
 * Shape: `services` are those that are deployed.
 */
export function dependencyLabels(
  services: readonly NamedService[],
  context: SpecContext,
): ReadonlyMap<string, Labels> {
  const byName = new Map(services.map(({ name, service }) => [name, service]));
  const labels = new Map<string, Labels>();
  for (const { name, service } of services) {
    const found = Object.entries(service.depends_on ?? {});
    if (found.length === 0) continue;
    if (entryOf(service.deploy?.labels, dependsOnLabel.name)) {
      const message = `found "depends_on" and the label "${dependsOnLabel.name}": remove one of the two`;
      context.errors.push({ at: found[0]?.[1].at ?? service.at, message });
      continue;
    }
    const entries = found.map(([other, entry]) => {
      judge(other, { entry, service: byName.get(other), context });
      const { condition = "service_started", required = true } = entry;
      return `${other}:${conditions[condition]}${required ? "" : "?"}`;
    });
    labels.set(name, { [dependsOnLabel.name]: entries.join(", ") });
  }
  refuseCircles(byName, labels, context);
  return labels;
}

function judge(
  name: string,
  {
    entry,
    service,
    context,
  }: {
    readonly entry: DependencyEntry;
    readonly service: ServiceEntry | undefined;
    readonly context: SpecContext;
  },
): void {
  const { at, condition, required = true, restart = false } = entry;
  const fail = (message: string): void => void context.errors.push({ at, message });
  if (restart) {
    const message = `"restart" of depends_on is ignored: tasks run on when "${name}" is updated`;
    context.warnings.push({ at, message });
  }
  if (service === undefined) {
    if (!required) return;
    return fail(
      `service "${name}" is not deployed: add it, enable its profile, or write "required: false"`,
    );
  }
  const { healthcheck, deploy } = service;
  const isUnchecked = healthcheck?.disable === true || healthcheck?.test?.[0] === "NONE";
  if (condition === "service_healthy" && isUnchecked) {
    return fail(`the health check of "${name}" is disabled: enable it, or write service_started`);
  }
  if (condition !== "service_completed_successfully") return;
  const isJob = deploy?.mode?.value.endsWith("-job") === true;
  const again = deploy?.restart_policy?.condition ?? "any";
  if (!isJob && again === "any") {
    fail(
      `"${name}" is started again whenever it ends, so it never completes: set its deploy.mode to replicated-job, or its deploy.restart_policy.condition to on-failure`,
    );
  }
}

function refuseCircles(
  services: ReadonlyMap<string, ServiceEntry>,
  labels: ReadonlyMap<string, Labels>,
  context: SpecContext,
): void {
  const keys = new Map([...services.keys()].map((key) => [scoped(key, context), key]));
  const stack = { [stackLabel]: context.projectName };
  const specs = new Map(
    [...keys].map(([Name, key]) => [Name, { Name, Labels: { ...stack, ...labels.get(key) } }]),
  );
  const told = new Set<string>();
  for (const [name, spec] of specs) {
    const circle = told.has(name) ? undefined : circleFrom(spec, (other) => specs.get(other));
    if (circle === undefined) continue;
    for (const one of circle) told.add(one);
    const path = circle.map((one) => keys.get(one) ?? one);
    const at = placeOf(services.get(path[0] ?? ""), path[1] ?? "");
    const message = `services wait for each other: ${path.join(" -> ")}: remove one of these dependencies`;
    if (at !== undefined) context.errors.push({ at, message });
  }
}

function placeOf(service: ServiceEntry | undefined, other: string): SourcePosition | undefined {
  return entryOf(service?.depends_on, other)?.at ?? service?.at;
}
