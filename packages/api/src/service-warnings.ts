/**
 * Service warnings: what a spec asks for and does not get yet, in words for whoever wrote it.
 *
 * The docker client prints them behind the answer to create, update and scale. Only what is new since
 * `before` is mentioned, so that nobody reads the same again at each deploy.
 */
import type { NetworkId } from "@gam/core";
import type { PortConfig, ServiceSpec, View } from "@gam/state";

export function serviceWarnings(
  spec: ServiceSpec,
  view: View,
  before?: ServiceSpec,
): readonly string[] {
  const known = before === undefined ? [] : warningsOf(before, view);
  return warningsOf(spec, view).filter((warning) => !known.includes(warning));
}

function warningsOf(spec: ServiceSpec, view: View): readonly string[] {
  const ports = (spec.EndpointSpec?.Ports ?? []).filter((port) => port.PublishMode !== "host");
  const targets = spec.TaskTemplate.Networks ?? spec.Networks ?? [];
  // A lone host has nobody to be cut off from.
  const networks = view.nodes().length < 2 ? [] : targets;
  return [
    ...ports.map(
      (port) => `${portWords(port)} is reserved, but not served yet: publish it with mode=host`,
    ),
    ...networks.flatMap(({ Target }) => {
      // The engines' own networks are no objects of the state, and promise nothing.
      const name = view.network(Target as NetworkId)?.Name;
      return name === undefined
        ? []
        : `Network "${name}" does not reach across hosts yet: only tasks on the same host see each other`;
    }),
  ];
}

function portWords({ PublishedPort, TargetPort, Protocol }: PortConfig): string {
  if (PublishedPort) return `Published port ${PublishedPort}/${Protocol ?? "tcp"}`;
  return `The port published for ${TargetPort ?? 0}/${Protocol ?? "tcp"}`;
}
