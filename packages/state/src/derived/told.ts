/**
 * Told: which changes of objects are events of "docker events", and what these show.
 *
 * Decides from the object before and after a change alone, so that every peer has the same events. Only changes
 * of what clients see are events: a report that gam keeps for itself is none.
 *
 * Source: Docker Engine API 1.41, SystemEvents; attributes as Engine 20.10 sends them.
 */
import type { Rows, TableName } from "../log/change.ts";
import type { Config } from "../objects/config.ts";
import type { Told } from "../objects/happening.ts";
import type { Network } from "../objects/network.ts";
import type { Node } from "../objects/node.ts";
import type { Secret } from "../objects/secret.ts";
import type { Service } from "../objects/service.ts";

/** An object before and after a change. At least one of the two is present. */
export interface Move<Row> {
  readonly before?: Row;
  readonly after?: Row;
}

const silent = (): undefined => undefined;

/** Tasks and the cluster have no events, as in Swarm. Those of volumes come from the engines. */
export const told: {
  readonly [Name in TableName]: (move: Move<Rows[Name]>) => Told | undefined;
} = {
  cluster: silent,
  node: toldOfNode,
  service: toldOfService,
  task: silent,
  network: toldOfNetwork,
  secret: (move) => toldOfContent("secret", move),
  config: (move) => toldOfContent("config", move),
  volume: silent,
};

function toldOfNetwork({ before, after }: Move<Network>): Told | undefined {
  const network = after ?? before;
  // Swarm sends no event when only a network's members change.
  if (network === undefined || before?.IPAM === after?.IPAM) return undefined;
  return { type: "network", id: network.Id, attributes: { name: network.Name } };
}

function toldOfContent(
  type: "config" | "secret",
  { before, after }: Move<Config | Secret>,
): Told | undefined {
  const holder = after ?? before;
  // Contents that are deleted or sealed anew are no news: the object has the same version.
  if (holder === undefined || before?.Version.Index === after?.Version.Index) return undefined;
  return { type, id: holder.ID, attributes: { name: holder.Spec.Name } };
}

function toldOfNode({ before, after }: Move<Node>): Told | undefined {
  const node = after ?? before;
  if (node === undefined || isSame(before, after, (one) => [one.Spec, one.Description, one.Status]))
    return undefined;
  const name = node.Spec.Name || node.Description.Hostname || node.ID;
  return {
    type: "node",
    id: node.ID,
    attributes: { name, ...changed(before, after, nodeFields) },
  };
}

function toldOfService({ before, after }: Move<Service>): Told | undefined {
  const service = after ?? before;
  if (service === undefined || isSame(before, after, seenOfService)) return undefined;
  const { Name: name } = service.Spec;
  return {
    type: "service",
    id: service.ID,
    attributes: { name, ...changed(before, after, serviceFields) },
  };
}

function seenOfService(service: Service): readonly unknown[] {
  const { Spec, PreviousSpec, Endpoint, UpdateStatus, JobStatus } = service;
  return [Spec, PreviousSpec, Endpoint, UpdateStatus, JobStatus];
}

function isSame<T>(
  before: T | undefined,
  after: T | undefined,
  seen: (row: T) => readonly unknown[],
): boolean {
  if (before === undefined || after === undefined) return false;
  const old = seen(before);
  // Most changes keep what they do not change, so few parts need a comparison of their texts.
  return seen(after).every(
    (part, at) => part === old[at] || JSON.stringify(part) === JSON.stringify(old[at]),
  );
}

type Field<T> = readonly [name: string, read: (object: T) => string | undefined];

const nodeFields: readonly Field<Node>[] = [
  ["availability", (node) => node.Spec.Availability],
  ["role", (node) => node.Spec.Role],
  ["state", (node) => node.Status.State],
];
const serviceFields: readonly Field<Service>[] = [
  ["image", (service) => service.Spec.TaskTemplate.ContainerSpec.Image],
  ["replicas", ({ Spec }) => Spec.Mode.Replicated && String(Spec.Mode.Replicated.Replicas ?? 1)],
  ["updatestate", (service) => service.UpdateStatus?.State],
];

function changed<T>(
  before: T | undefined,
  after: T | undefined,
  fields: readonly Field<T>[],
): Record<string, string> {
  const attributes: Record<string, string> = {};
  if (before === undefined || after === undefined) return attributes;
  for (const [name, read] of fields) {
    const [old, now] = [read(before), read(after)];
    // A cleared status is not a new value.
    if (old === now || now === undefined) continue;
    if (old !== undefined) attributes[`${name}.old`] = old;
    attributes[`${name}.new`] = now;
  }
  return attributes;
}
