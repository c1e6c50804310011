/**
 * Spec: turns a stack file into the Engine API's objects.
 *
 * Decides which objects a stack has. Does not decide what is valid for a cluster: judge.ts and the API do.
 * Source: recorded requests of the docker client.
 */

import { withContainerKeys } from "./container-labels.ts";
import { dependencyLabels } from "./depends-on.ts";
import { type NetworkCreate, networkCreate, networkName, networksOf } from "./network-spec.ts";
import { type ObjectCreate, type ObjectUse, objectCreates, objectUses } from "./object-spec.ts";
import { podLabels } from "./pods.ts";
import { entryOf } from "./reading/entry-of.ts";
import type { SourcePosition } from "./reading/problem.ts";
import { type NamedService, type ServiceBody, serviceSpec } from "./service-spec.ts";
import type { File } from "./shape/file.ts";
import type { Named, SpecContext } from "./stack-names.ts";

/** What a file asks for: a body, and where it stands. */
export interface At<T> {
  readonly at: SourcePosition;
  readonly body: T;
}

export interface StackService {
  readonly at: SourcePosition;
  readonly spec: ServiceBody;
  readonly secrets: readonly ObjectUse[];
  readonly configs: readonly ObjectUse[];
}

export interface Stack {
  readonly services: readonly StackService[];
  /** The networks that a service uses and that are not external. */
  readonly networks: readonly At<NetworkCreate>[];
  /** Networks that must exist already. */
  readonly externalNetworks: readonly Named[];
  readonly secrets: readonly At<ObjectCreate>[];
  readonly configs: readonly At<ObjectCreate>[];
}

/** The objects of the services in `names`, in the order of their names. */
export function toStack(file: File, names: readonly string[], context: SpecContext): Stack {
  const services = [...names].sort().flatMap((name): NamedService[] => {
    const service = entryOf(file.services, name);
    return service === undefined ? [] : [{ name, service }];
  });
  const order = dependencyLabels(services, context);
  const pods = podLabels(services, context);
  const networks: At<NetworkCreate>[] = [];
  const externalNetworks: Named[] = [];
  for (const [key, at] of usedNetworks(services)) {
    const entry = entryOf(file.networks, key);
    if (entry?.external?.external) {
      externalNetworks.push({ name: networkName(key, entry, context), at: entry.at });
    } else networks.push({ at: entry?.at ?? at, body: networkCreate(key, entry, context) });
  }
  return {
    services: services.map((named) => ({
      at: named.service.at,
      spec: withLabels(
        withContainerKeys(serviceSpec(named, file, context), named.service, context),
        { ...order.get(named.name), ...pods.get(named.name) },
      ),
      secrets: objectUses(named, "secret", { file, context }),
      configs: objectUses(named, "config", { file, context }),
    })),
    networks: networks.sort((a, b) => (a.body.Name < b.body.Name ? -1 : 1)),
    externalNetworks: externalNetworks.sort((a, b) => (a.name < b.name ? -1 : 1)),
    secrets: objectCreates(file.secrets, context),
    configs: objectCreates(file.configs, context),
  };
}

function withLabels(body: ServiceBody, labels: Readonly<Record<string, string>>): ServiceBody {
  return { ...body, Labels: { ...body.Labels, ...labels } };
}

/** The keys of the networks that services use, each with the first place. */
function usedNetworks(services: readonly NamedService[]): Map<string, SourcePosition> {
  const used = new Map<string, SourcePosition>();
  for (const { service } of services) {
    for (const [key, { at }] of Object.entries(networksOf(service))) {
      if (!used.has(key)) used.set(key, at);
    }
  }
  return used;
}
