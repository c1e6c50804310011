/**
 * Rollout refusal: why a new version cannot run beside the old one.
 *
 * A service has one endpoint, that of its newest spec. So tasks of the old version are reached at a port or in a
 * network only if the new version is reached there too: otherwise they would lose their connections at once, whatever
 * the weight. What the new version has in addition does no harm.
 */

import { ingressPorts } from "../../derived/ports.ts";
import { openRollout } from "../../derived/rollout/open-rollout.ts";
import { httpPort } from "../../labels/http-labels.ts";
import { rolloutOf } from "../../labels/rollout-labels.ts";
import type { Refusal } from "../../log/change.ts";
import type { PortConfig, Service, ServiceSpec } from "../../objects/service.ts";

/** Returns: undefined for a spec that asks for no rollout. */
export function rolloutRefusal(service: Service, spec: ServiceSpec): Refusal | undefined {
  if (rolloutOf(spec) === undefined) return undefined;
  const old = (openRollout(service) && service.PreviousSpec) ?? service.Spec;
  const lost = lostPort(old, spec) ?? lostHttpPort(old, spec) ?? lostNetworkOf(old, spec);
  if (lost === undefined) return undefined;
  const message = `service ${spec.Name} has the label "gam.rollout", so its old version runs on beside the new one, but ${lost}. Keep it until the rollout has ended, or leave the label out of this update`;
  return { code: "BAD_REQUEST", message };
}

function lostPort(old: ServiceSpec, spec: ServiceSpec): string | undefined {
  const kept = new Set(ingressPorts(spec.EndpointSpec).map(meaningOf));
  const lost = ingressPorts(old.EndpointSpec).find((port) => !kept.has(meaningOf(port)));
  if (lost === undefined) return undefined;
  const { PublishedPort, TargetPort, Protocol = "tcp" } = lost;
  const way = PublishedPort ? `${PublishedPort}:${TargetPort}` : TargetPort;
  return `nobody would reach it by its port ${way}/${Protocol}, which the new one does not have`;
}

function meaningOf({ Protocol = "tcp", PublishedPort = 0, TargetPort = 0 }: PortConfig): string {
  return `${PublishedPort}:${TargetPort}/${Protocol}`;
}

function lostHttpPort(old: ServiceSpec, spec: ServiceSpec): string | undefined {
  const [before, after] = [httpPort(old.Labels), httpPort(spec.Labels)];
  if (before === undefined || after === undefined || before === after) return undefined;
  return `it answers HTTP at port ${before} and the new one at ${after} (gam.http.port)`;
}

function lostNetworkOf(old: ServiceSpec, spec: ServiceSpec): string | undefined {
  const kept = networksOf(spec);
  const lost = networksOf(old).find((target) => !kept.includes(target));
  return lost && `nobody would reach it in network ${lost}, in which the new one is not`;
}

function networksOf({ TaskTemplate, Networks = [] }: ServiceSpec): readonly string[] {
  return (TaskTemplate.Networks ?? Networks).map(({ Target }) => Target);
}
