/**
 * Pods: turns `network_mode: service:…` of a stack's services into labels that the cluster obeys (`gam.pod`).
 *
 * Refuses what could never run together, with its place in the file, before anything is sent.
 */
import {
  dependencyCircle,
  isInit,
  mainName,
  podConflict,
  podLabel,
  type Service,
  type ServiceSpec,
  stackLabel,
} from "@gam/state";
import { entryOf } from "./reading/entry-of.ts";
import type { Problem, SourcePosition } from "./reading/problem.ts";
import type { NamedService } from "./service-spec.ts";
import type { SpecContext } from "./stack-names.ts";

const form = /^service:(.*)$/;

type Labels = Readonly<Record<string, string>>;

/** Returns: the service in whose network a service with this network mode runs; undefined for another mode. */
export function networkHost(mode: string): string | undefined {
  return form.exec(mode)?.[1];
}

/**
 * Returns: the labels for each service that runs in the network of another one, by its name in the file.
 *
 * Shape: `services` are those that are deployed.
 */
export function podLabels(
  services: readonly NamedService[],
  context: SpecContext,
): ReadonlyMap<string, Labels> {
  const names = new Set(services.map(({ name }) => name));
  const labels = new Map<string, Labels>();
  for (const { name, service } of services) {
    const { network_mode: mode, deploy } = service;
    const main = mode && networkHost(mode.value);
    if (mode === undefined || main === undefined) continue;
    const fail = (message: string): void => void context.errors.push({ at: mode.at, message });
    if (entryOf(deploy?.labels, podLabel.name)) {
      fail(`found "network_mode" and the label "${podLabel.name}": remove one of the two`);
    } else if (main === name) {
      fail(`"${name}" cannot run in its own network: name another service`);
    } else if (!names.has(main)) {
      fail(`service "${main}" is not deployed: add it, or enable its profile`);
    } else labels.set(name, { [podLabel.name]: main });
  }
  return labels;
}

interface Placed {
  readonly at: SourcePosition;
  readonly spec: object;
}

/** Adds what does not fit together in the pods of a stack. */
export function judgePods(services: readonly Placed[], errors: Problem[]): void {
  const specs = services.map(({ spec }) => spec as ServiceSpec);
  const view = { services: () => specs.map((Spec) => ({ Spec }) as Service) };
  const told = new Set<string>();
  for (const [index, spec] of specs.entries()) {
    const problem =
      mainName(spec.Labels) === undefined
        ? undefined
        : (podConflict(view, spec) ?? circleWith(view, spec));
    const at = services[index]?.at;
    if (problem === undefined || at === undefined || told.has(problem)) continue;
    told.add(problem);
    errors.push({ at, message: problem });
  }
}

/** Returns: why the part and another service would wait for each other for ever. */
function circleWith(view: { services(): readonly Service[] }, spec: ServiceSpec) {
  const circle = dependencyCircle(view, spec);
  return (
    circle &&
    `services wait for each other: ${circle.join(" -> ")}: remove one of these dependencies. In a pod, the main service waits for init containers, and other parts for it`
  );
}

/** Returns: the services that have to be created before this one, so that its pods start whole. */
export function podOrder(
  spec: Pick<ServiceSpec, "Name" | "Labels">,
  all: readonly Named[],
): string[] {
  const main = mainName(spec.Labels);
  if (main !== undefined) return isInit(spec.Labels) ? [] : [main];
  const stack = spec.Labels?.[stackLabel] ?? "";
  return all
    .filter(({ Labels }) => isInit(Labels))
    .filter(({ Labels }) => {
      const name = mainName(Labels);
      return name === spec.Name || `${stack}_${name}` === spec.Name;
    })
    .map(({ Name }) => Name);
}

type Named = Pick<ServiceSpec, "Name" | "Labels">;
