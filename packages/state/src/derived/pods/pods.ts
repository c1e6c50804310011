/**
 * Pods: which services run together, and which of their tasks.
 *
 * A pod is one task of a main service and one task of each service that names it (`gam.pod`), its parts. The main
 * task says where the pod runs, and has its addresses. A part runs in the network of the main container, and so never
 * longer than that. Does not decide which tasks there should be: the orchestrator does.
 */
import type { ServiceId, TaskId } from "@gam/core";
import { isGuest, isInit, mainName } from "../../labels/pod-labels.ts";
import { rolloutOf } from "../../labels/rollout-labels.ts";
import type { View } from "../../log/view.ts";
import type { NetworkTarget, Service, ServiceSpec } from "../../objects/service.ts";
import { isTerminal, isWanted, slotName, type Task } from "../../objects/task.ts";
import { serviceMeant, stackLabel } from "../dependencies.ts";
import { policyProblem } from "../policy-problem.ts";

type Pods = ReadonlyMap<ServiceId, readonly Service[]>;

const none: readonly Service[] = [];
/** A cache. A view returns the same list until a service changes. */
const indexes = new WeakMap<readonly Service[], Pods>();

function podsOf(view: Pick<View, "services">): Pods {
  const services = view.services();
  const known = indexes.get(services);
  if (known !== undefined) return known;
  const pods = new Map<ServiceId, Service[]>();
  for (const service of services) {
    const name = mainName(service.Spec.Labels);
    const main = name === undefined ? undefined : serviceMeant(view, service.Spec, name);
    // A part of a part would wait for ever. Such a spec is refused, but a rollback may bring it back.
    if (main === undefined || mainName(main.Spec.Labels) !== undefined) continue;
    pods.set(main.ID, [...(pods.get(main.ID) ?? []), service]);
  }
  indexes.set(services, pods);
  return pods;
}

/** Returns: the services whose tasks run with the tasks of this one, in the order of creation. */
export function partsOf(view: Pick<View, "services">, main: ServiceId): readonly Service[] {
  return podsOf(view).get(main) ?? none;
}

/** Returns: the service with whose tasks the tasks of this part run; undefined if there is none. */
export function mainOf(
  view: View,
  { ID, Spec }: Pick<Service, "ID" | "Spec">,
): Service | undefined {
  const name = mainName(Spec.Labels);
  const main = name === undefined ? undefined : serviceMeant(view, Spec, name);
  return main !== undefined && partsOf(view, main.ID).some((part) => part.ID === ID)
    ? main
    : undefined;
}

/** Returns: how many tasks a replicated service should have. A part has as many as its main service. */
export function replicasWanted(view: View, service: Pick<Service, "ID" | "Spec">): number {
  const counted = mainName(service.Spec.Labels) === undefined ? service : mainOf(view, service);
  if (counted === undefined) return 0;
  return counted.Spec.Mode.Replicated?.Replicas ?? 1;
}

/** Returns: the other services of the pods in which the service is. */
export function podMates(view: View, service: Service): readonly Service[] {
  const main = mainOf(view, service);
  return main === undefined ? partsOf(view, service.ID) : [main];
}

/** Returns: what a task of a main service waits for before it starts: `waits for init container shop_init`. */
export function waitsForInit(view: View, task: Task): string | undefined {
  const left = partsOf(view, task.ServiceID).find((part) => {
    return isInit(part.Spec.Labels) && !isDoneFor(view, part.ID, task.ID);
  });
  return left && `waits for init container ${left.Spec.Name} to complete`;
}

function isDoneFor(view: View, part: ServiceId, main: TaskId): boolean {
  return view
    .tasksOf(part)
    .some(({ Gam, Status }) => Gam.pod === main && Status.State === "complete");
}

/** Returns: why a part has no task for some task of its main service, as a sentence. Undefined if nothing lacks. */
export function whyNoPod(view: View, service: Service): string | undefined {
  const name = mainName(service.Spec.Labels);
  if (name === undefined) return undefined;
  const main = mainOf(view, service);
  if (main === undefined) return `It runs with the tasks of service ${name}, which does not exist`;
  const tasks = view
    .tasksOf(main.ID)
    .filter((task) => isWanted(task) && !isTerminal(task.Status.State));
  if (tasks.length === 0)
    return `It runs with the tasks of service ${main.Spec.Name}, which has none`;
  const unplaced = tasks.find((task) => task.Status.State === "pending");
  if (unplaced === undefined) return undefined;
  return `It runs with task ${main.Spec.Name}.${slotName(unplaced)}, which has no node yet`;
}

/**
 * Returns: why the service cannot be in a pod together with the others, and what to do.
 *
 * Shape: the view need not have the service itself.
 */
export function podConflict(view: Pick<View, "services">, spec: ServiceSpec): string | undefined {
  const name = mainName(spec.Labels);
  for (const part of partsNaming(view, spec)) {
    if (name !== undefined) {
      return `service ${part.Name} is a part of the pod of ${spec.Name}, so that cannot be a part of another pod: let both name the same main service`;
    }
    const problem = mismatch(part, spec);
    if (problem !== undefined) return problem;
  }
  if (name === undefined) return undefined;
  const main = serviceMeant(view, spec, name)?.Spec;
  const inStack = `${spec.Labels?.[stackLabel]}_${name}`;
  if ([name, inStack, main?.Name].includes(spec.Name)) {
    return `service ${spec.Name} cannot be a part of its own pod: name another service`;
  }
  if (main === undefined) return undefined;
  const further = mainName(main.Labels);
  if (further !== undefined) {
    return `service ${main.Name} is itself a part of the pod of ${further}: name that service instead`;
  }
  return mismatch(spec, main);
}

/** Returns: the parts of pods whose main service would be this one. */
function partsNaming(view: Pick<View, "services">, spec: ServiceSpec): readonly ServiceSpec[] {
  const others = view.services().filter(({ Spec }) => Spec.Name !== spec.Name);
  return others.flatMap(({ Spec: part }) => {
    const name = mainName(part.Labels);
    if (name === undefined) return [];
    const isMeant = serviceMeant(view, part, name)?.Spec.Name === spec.Name || name === spec.Name;
    return isMeant ? [part] : [];
  });
}

function mismatch(part: ServiceSpec, main: ServiceSpec): string | undefined {
  const [mode, wanted] = [modeOf(part), modeOf(main)];
  const pod = `service ${part.Name} is a part of the pod of ${main.Name}`;
  const divided = [part, main].find((spec) => rolloutOf(spec) !== undefined);
  if (divided !== undefined) {
    return `${pod}, and ${divided.Name} has the label "gam.rollout": two versions of a pod cannot run side by side, so leave that label out`;
  }
  if (wanted === "a job") return `${pod}, which is a job: a job has no pod`;
  if (mode !== wanted) return `${pod}, but it is ${mode} and that is ${wanted}: use the same mode`;
  if (!isGuest(part.Labels)) return undefined;
  const has = new Set(networksOf(main).map(({ Target }) => Target));
  const alien = networksOf(part).find(({ Target }) => !has.has(Target));
  if (alien === undefined) return undefined;
  return `${pod}, but it is in network ${alien.Target} and that is not: give both the same networks`;
}

/** Returns: why the policy does not allow parts of a pod to be in the network of their main service. */
export function podPolicyProblem(view: View, spec: ServiceSpec): string | undefined {
  const name = mainName(spec.Labels);
  const main = name === undefined ? spec : serviceMeant(view, spec, name)?.Spec;
  if (main === undefined) return undefined;
  const parts = name === undefined ? partsNaming(view, spec) : [spec];
  for (const part of parts.filter(({ Labels }) => isGuest(Labels))) {
    const TaskTemplate = { ...part.TaskTemplate, Networks: networksOf(main) };
    const problem = policyProblem(view.cluster?.Policy, { ...part, TaskTemplate });
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function networksOf({ TaskTemplate, Networks }: ServiceSpec): readonly NetworkTarget[] {
  return TaskTemplate.Networks ?? Networks ?? [];
}

function modeOf({ Mode }: ServiceSpec): "global" | "replicated" | "a job" {
  if (Mode.Global !== undefined) return "global";
  return Mode.ReplicatedJob !== undefined || Mode.GlobalJob !== undefined ? "a job" : "replicated";
}
