/**
 * Swarm events: what happens to the replicated objects, in the words of `docker events`.
 *
 * Decides how a change of the state is told and which filters it passes. Remembers the last few, for
 * clients that ask for the past. Tasks and the cluster have no events, as in Swarm.
 *
 * Source: Docker Engine API 1.41, SystemEvents.
 */
import type { Event, Node, Service } from "@gam/state";
import type { Filters } from "./filters.ts";
import { hostnameOf } from "./node-answer.ts";

export interface SwarmEvent {
  readonly Type: "network" | "node" | "service";
  readonly Action: "create" | "remove" | "update";
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: "swarm";
  /** Seconds since 1970. */
  readonly time: number;
  /** Nanoseconds since 1970. */
  readonly timeNano: number;
}

/** As many as the engine remembers. */
const rememberedMax = 256;

export class SwarmEvents {
  readonly #wallMs: () => number;
  readonly #listeners = new Set<(event: SwarmEvent) => void>();
  readonly #remembered: SwarmEvent[] = [];

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  /** Feed it every event of the state, in order. */
  notice(event: Event): void {
    const told = tell(event, this.#wallMs());
    if (told === undefined) return;
    this.#remembered.push(told);
    if (this.#remembered.length > rememberedMax) this.#remembered.shift();
    for (const listener of this.#listeners) listener(told);
  }

  /** Those of the past, oldest first. */
  since(momentMs: number): readonly SwarmEvent[] {
    return this.#remembered.filter((event) => event.timeNano >= momentMs * 1e6);
  }

  /** Returns what ends it. */
  listen(listener: (event: SwarmEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

function tell(event: Event, atMs: number): SwarmEvent | undefined {
  const told = describe(event);
  if (told === undefined) return undefined;
  const { before, after } = event;
  const Action = before === undefined ? "create" : after === undefined ? "remove" : "update";
  return {
    Type: told.type,
    Action,
    Actor: { ID: told.id, Attributes: told.attributes },
    scope: "swarm",
    time: Math.floor(atMs / 1000),
    timeNano: atMs * 1e6,
  };
}

interface Told {
  readonly type: SwarmEvent["Type"];
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

function describe(event: Event): Told | undefined {
  switch (event.table) {
    case "network": {
      const { before, after } = event;
      const network = after ?? before;
      // Who has a part of it is nothing that Swarm's clients are told.
      if (network === undefined || before?.IPAM === after?.IPAM) return undefined;
      return { type: "network", id: network.Id, attributes: { name: network.Name } };
    }
    case "node": {
      const node = event.after ?? event.before;
      if (node === undefined) return undefined;
      const name = hostnameOf(node);
      const moved = changed(event.before, event.after, nodeFields);
      return { type: "node", id: node.ID, attributes: { name, ...moved } };
    }
    case "service": {
      const service = event.after ?? event.before;
      if (service === undefined) return undefined;
      const moved = changed(event.before, event.after, serviceFields);
      return { type: "service", id: service.ID, attributes: { name: service.Spec.Name, ...moved } };
    }
    default:
      return undefined;
  }
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
    // A status that was cleared is no state of its own.
    if (old === now || now === undefined) continue;
    if (old !== undefined) attributes[`${name}.old`] = old;
    attributes[`${name}.new`] = now;
  }
  return attributes;
}

/** Keys that name an object, by its id or its name. */
const objectKeys = [
  "config",
  "container",
  "daemon",
  "network",
  "node",
  "plugin",
  "secret",
  "service",
  "volume",
];

/** Whether a client with these filters is told of it. */
export function passes(event: SwarmEvent, filters: Filters): boolean {
  const { ID, Attributes } = event.Actor;
  const name = Attributes.name ?? "";
  return (
    filters.exact("type", event.Type) &&
    filters.exact("event", event.Action) &&
    filters.exact("scope", event.scope) &&
    !filters.has("image") &&
    filters.labels("label", Attributes) &&
    objectKeys.every((key) => filters.prefix(key, ID, name))
  );
}
