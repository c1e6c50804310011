/**
 * Service refusal: why a service cannot be created or changed in the present state.
 *
 * Decides what the store guarantees: unique names, unique published ports, networks that exist, and that
 * writers have seen the present version. The messages are Swarm's.
 */
import { type ServiceId, unreachable } from "@gam/core";
import { dependencyCircle } from "../derived/dependencies.ts";
import { httpConflict } from "../derived/http/http-need.ts";
import { podConflict, podPolicyProblem } from "../derived/pods/pods.ts";
import { policyProblem } from "../derived/policy-problem.ts";
import { heldPorts, hostPorts, ingressPorts } from "../derived/ports.ts";
import type { ChangeOf, Refusal } from "../log/change.ts";
import type { View } from "../log/view.ts";
import type { PortConfig, Service, ServiceSpec } from "../objects/service.ts";
import { foreignSeal, lostContent } from "./content-change.ts";
import { runRefusal } from "./cron-change.ts";
import { lostNetwork } from "./network-refusal.ts";
import { missing, stale, takenId } from "./refusal.ts";
import { steerRefusal } from "./rollout/rollout-change.ts";
import { rolloutRefusal } from "./rollout/rollout-refusal.ts";

export function serviceRefusal(view: View, change: ChangeOf<"service">): Refusal | undefined {
  switch (change.kind) {
    case "createService":
      return (
        takenServiceName(view, change.spec.Name) ??
        takenId(view.service(change.id), `service ${change.id}`) ??
        forbidden(view, change.spec) ??
        divided(view, change.spec) ??
        circularOrder(view, change.spec) ??
        lostNetwork(view, change.spec) ??
        lostContent(view, change.spec) ??
        conflictingHttp(view, change.spec) ??
        foreignSeal(view, change.registryAuth) ??
        takenPort(view, change.id, change.spec.EndpointSpec?.Ports) ??
        takenOnHosts(view, change.id, change.spec.EndpointSpec?.Ports)
      );
    case "updateService":
      return (
        stale(view.service(change.id), change.basedOn, `service ${change.id}`) ??
        unfit(view, view.service(change.id), change.spec) ??
        foreignSeal(view, change.registryAuth)
      );
    case "removeService":
      return missing(view.service(change.id), `service ${change.id}`);
    case "runJob":
      return (
        missing(view.service(change.id), `service ${change.id}`) ??
        runRefusal(view.service(change.id))
      );
    case "steerRollout":
      return unsteerable(view, change);
    case "handleDue":
    case "endRun":
    case "progressUpdate":
    case "rollbackService":
    case "progressRollout":
    case "scaleService":
    case "resealCredentials":
    case "setEndpoint":
      return undefined;
    default:
      unreachable(change);
  }
}

function unsteerable(
  view: View,
  change: Extract<ChangeOf<"service">, { kind: "steerRollout" }>,
): Refusal | undefined {
  const service = view.service(change.id);
  if (service === undefined) return missing(service, `service ${change.id}`);
  const refusal = steerRefusal(service, change);
  return refusal ?? (change.action === "abort" ? unfit(view, service, "previous") : undefined);
}

/** Another service publishes one of these ports on every node. */
export function takenPort(
  view: View,
  id: ServiceId,
  ports: readonly PortConfig[] | undefined,
): Refusal | undefined {
  return collision(view, id, ingressPorts({ Ports: ports ?? [] }), heldPorts, "an ingress port");
}

/**
 * This service binds one of these ports on hosts and another publishes it on every node, or the other way
 * round. Two services may bind the same port on hosts: placement keeps them apart.
 */
function takenOnHosts(
  view: View,
  id: ServiceId,
  ports: readonly PortConfig[] | undefined,
): Refusal | undefined {
  const asked = { Ports: ports ?? [] };
  const bound = ({ Spec }: Service): readonly PortConfig[] => hostPorts(Spec.EndpointSpec);
  return (
    collision(view, id, ingressPorts(asked), bound, "a host-published port") ??
    collision(view, id, hostPorts(asked), heldPorts, "an ingress port")
  );
}

/** `as`: how the other service publishes the port. */
function collision(
  view: View,
  id: ServiceId,
  asked: readonly PortConfig[],
  heldBy: (service: Service) => readonly PortConfig[],
  as: string,
): Refusal | undefined {
  for (const port of asked) {
    if (!port.PublishedPort) continue;
    const holder = view
      .services()
      .find((service) => service.ID !== id && heldBy(service).some((one) => same(one, port)));
    if (holder === undefined) continue;
    const message = `port '${port.PublishedPort}' is already in use by service '${holder.Spec.Name}' (${holder.ID}) as ${as}`;
    return { code: "BAD_REQUEST", message };
  }
  return undefined;
}

function same(a: PortConfig, b: PortConfig): boolean {
  return a.PublishedPort === b.PublishedPort && (a.Protocol ?? "tcp") === (b.Protocol ?? "tcp");
}

/** The operator's policy does not allow it. */
function forbidden(view: View, spec: ServiceSpec): Refusal | undefined {
  const message = policyProblem(view.cluster?.Policy, spec);
  return message === undefined ? undefined : { code: "REFUSED", message };
}

/** The service would wait for itself. */
function circularOrder(view: View, spec: ServiceSpec): Refusal | undefined {
  const path = dependencyCircle(view, spec);
  if (path === undefined) return undefined;
  const message = `service ${spec.Name} would wait for itself: ${path.join(" -> ")}. Remove one of these dependencies (depends_on in a stack file, or the labels gam.depends_on and gam.pod)`;
  return { code: "BAD_REQUEST", message };
}

/** The services of a pod do not fit together. */
function divided(view: View, spec: ServiceSpec): Refusal | undefined {
  const message = podConflict(view, spec) ?? podPolicyProblem(view, spec);
  return message === undefined ? undefined : { code: "BAD_REQUEST", message };
}

/** Another service answers the same HTTP requests, or the certificate does not exist. */
function conflictingHttp(view: View, spec: ServiceSpec): Refusal | undefined {
  const message = httpConflict(view, spec);
  return message === undefined ? undefined : { code: "BAD_REQUEST", message };
}

function takenServiceName(view: View, name: string): Refusal | undefined {
  if (!view.services().some((service) => service.Spec.Name === name)) return undefined;
  const message = `name conflicts with an existing object: service ${name} already exists`;
  return { code: "NAME_IN_USE", message };
}

/** Returns: why the service cannot have that spec. */
function unfit(
  view: View,
  service: Service | undefined,
  wanted: ServiceSpec | "previous",
): Refusal | undefined {
  if (service === undefined) return undefined;
  const spec = wanted === "previous" ? service.PreviousSpec : wanted;
  if (spec === undefined) {
    return { code: "REFUSED", message: `service ${service.ID} does not have a previous spec` };
  }
  // A name is checked for uniqueness only when the service is created.
  if (spec.Name !== service.Spec.Name) {
    return { code: "BAD_REQUEST", message: "renaming services is not supported" };
  }
  return (
    forbidden(view, spec) ??
    divided(view, spec) ??
    circularOrder(view, spec) ??
    lostNetwork(view, spec) ??
    lostContent(view, spec) ??
    conflictingHttp(view, spec) ??
    (wanted === "previous" ? undefined : rolloutRefusal(service, spec)) ??
    takenPort(view, service.ID, spec.EndpointSpec?.Ports) ??
    takenOnHosts(view, service.ID, spec.EndpointSpec?.Ports)
  );
}
