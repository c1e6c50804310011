/**
 * Network need: in which networks of the cluster a task or a service has an address.
 *
 * Decides nothing. The allocator, the scheduler and the network plans all ask here, so that they mean the same
 * networks.
 */
import type { NetworkId } from "@gam/core";
import { isGuest } from "../labels/pod-labels.ts";
import type { View } from "../log/view.ts";
import type { Network } from "../objects/network.ts";
import type { NetworkTarget, Service } from "../objects/service.ts";
import type { Task } from "../objects/task.ts";
import { predefinedNetworks } from "../specs/network-spec.ts";
import { needsIngress } from "./ports.ts";

export interface NetworkNeed {
  /** Without duplicates, in the order of the spec, the ingress network last. */
  readonly networks: readonly NetworkId[];
  /** Why the task cannot get all of them, whatever is allocated; "" when it can. */
  readonly problem: string;
}

const nothing: NetworkNeed = { networks: [], problem: "" };

/** Returns: the networks in which the task needs an address before it gets a node. */
export function networkNeed(task: Pick<Task, "Spec" | "Gam">, view: View): NetworkNeed {
  // It runs in the network of the main container of its pod.
  if (isGuest(task.Gam.serviceLabels)) return nothing;
  const targets = task.Spec.Networks ?? [];
  const publishes = needsIngress(task.Gam.endpoint, task.Gam.serviceLabels);
  if ((targets.length === 0 && !publishes) || isOfEngine(targets)) return nothing;
  const networks = new Set(targets.map(({ Target }) => Target as NetworkId));
  const [lost] = [...networks].flatMap((id) => (view.network(id) === undefined ? [`${id}`] : []));
  let problem = lost === undefined ? "" : `network ${lost} not found`;
  if (publishes) {
    const ingress = ingressOf(view);
    if (ingress !== undefined) networks.add(ingress.Id);
    else problem ||= "service needs ingress network, but no ingress network is present";
  }
  return { networks: [...networks], problem };
}

/** Whether the task has all its addresses. */
export function isAttached(task: Pick<Task, "Spec" | "Gam">, view: View): boolean {
  const { networks, problem } = networkNeed(task, view);
  const has = (id: NetworkId): boolean => {
    return task.Gam.attachments.some(({ network }) => network === id);
  };
  return problem === "" && networks.every(has);
}

/**
 * Returns: the networks in which the service has a VIP, the ingress network first. Published ports need no VIP,
 * but clients of Swarm look for it there.
 */
export function serviceNetworks({ Spec }: Pick<Service, "Spec">, view: View): readonly Network[] {
  if (Spec.EndpointSpec?.Mode === "dnsrr" || isGuest(Spec.Labels)) return [];
  const targets = Spec.TaskTemplate.Networks ?? Spec.Networks ?? [];
  if (isOfEngine(targets)) return [];
  const ids = new Set(targets.map(({ Target }) => Target as NetworkId));
  const publishes = needsIngress(Spec.EndpointSpec, Spec.Labels);
  return [
    publishes ? ingressOf(view) : undefined,
    ...[...ids].map((id) => view.network(id)),
  ].filter((network) => network !== undefined);
}

/** Returns: the network through which published ports reach tasks on other nodes. */
export function ingressOf(view: View): Network | undefined {
  return view.networks().find(({ Ingress }) => Ingress);
}

/** A container in one of the engine's own networks is in no other. */
function isOfEngine(targets: readonly NetworkTarget[]): boolean {
  return targets.some(({ Target }) => isPredefined(Target));
}

/** Whether the target is one of each engine's own networks, or "none". */
export function isPredefined(target: string): boolean {
  return ofEngine.has(target);
}

const ofEngine: ReadonlySet<string> = new Set(["none", ...predefinedNetworks.map(({ Id }) => Id)]);
