/**
 * Service warnings: what a spec asks for and does not get yet, in words for whoever wrote it.
 *
 * The docker client prints them behind the answer to create, update and scale. Only what is new since
 * `before` is mentioned, so that nobody reads the same again at each deploy.
 */
import type { NetworkId } from "@gam/core";
import type { ServiceSpec, View } from "@gam/state";

export function serviceWarnings(
  spec: ServiceSpec,
  view: View,
  before?: ServiceSpec,
): readonly string[] {
  const added = (read: (spec: ServiceSpec) => readonly string[]): readonly string[] => {
    const known = before === undefined ? [] : read(before);
    return read(spec).filter((one) => !known.includes(one));
  };
  const ports = added(ingressPorts);
  // A lone host has nobody to be cut off from.
  const networks = view.nodes().length < 2 ? [] : added((one) => networkNames(one, view));
  const warnings: string[] = [];
  if (ports.length > 0) {
    const listed = ports.join(", ");
    warnings.push(`Published in ingress mode, which is not served yet: ${listed}; use mode=host`);
  }
  if (networks.length > 0) {
    const listed = networks.join(", ");
    warnings.push(`Not reaching across hosts yet: network ${listed}; only tasks on one host meet`);
  }
  return warnings;
}

/** As the client lists them; without a published port where one is still to be given. */
function ingressPorts({ EndpointSpec }: ServiceSpec): readonly string[] {
  const ports = (EndpointSpec?.Ports ?? []).filter(({ PublishMode }) => PublishMode !== "host");
  return ports.map(({ PublishedPort, TargetPort = 0, Protocol = "tcp" }) =>
    PublishedPort ? `${PublishedPort}->${TargetPort}/${Protocol}` : `${TargetPort}/${Protocol}`,
  );
}

/** The engines' own networks are no objects of the state, and promise nothing. */
function networkNames(spec: ServiceSpec, view: View): readonly string[] {
  const targets = spec.TaskTemplate.Networks ?? spec.Networks ?? [];
  return targets.flatMap(({ Target }) => view.network(Target as NetworkId)?.Name ?? []);
}
