/**
 * Swarm events: turns changes of the replicated objects into the events of `docker events`.
 *
 * Decides the form of an event and which filters it passes. Keeps the last few for clients that ask for past
 * events. Does not decide which objects have events: objects.ts does.
 *
 * Source: Docker Engine API 1.41, SystemEvents.
 */
import type { Event, Network, Node, Service } from "@gam/state";
import type { Filters } from "../request/filters.ts";
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

/** As many as the engine keeps. */
const rememberedMax = 256;

export class SwarmEvents {
  readonly #wallMs: () => number;
  readonly #describe: (event: Event) => EventActor | undefined;
  readonly #listeners = new Set<(event: SwarmEvent) => void>();
  readonly #remembered: SwarmEvent[] = [];

  constructor(wallMs: () => number, describe: (event: Event) => EventActor | undefined) {
    this.#wallMs = wallMs;
    this.#describe = describe;
  }

  /** Feed it every event of the state, in order. */
  notice(event: Event): void {
    const told = this.#describe(event);
    if (told === undefined) return;
    const happened = tell(event, told, this.#wallMs());
    this.#remembered.push(happened);
    if (this.#remembered.length > rememberedMax) this.#remembered.shift();
    for (const listener of this.#listeners) listener(happened);
  }

  /** Returns: the kept events since that time, oldest first. */
  since(momentMs: number): readonly SwarmEvent[] {
    return this.#remembered.filter((event) => event.timeNano >= momentMs * 1e6);
  }

  /** Returns: a function that ends it. */
  listen(listener: (event: SwarmEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

function tell({ before, after }: Event, told: EventActor, atMs: number): SwarmEvent {
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

/** The object of an event, with the attributes that the event shows. */
export interface EventActor {
  readonly type: SwarmEvent["Type"];
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** An object before and after a change. At least one of the two is present. */
export interface Move<Row> {
  readonly before?: Row;
  readonly after?: Row;
}

export function toldOfNetwork({ before, after }: Move<Network>): EventActor | undefined {
  const network = after ?? before;
  // Swarm sends no event when only a network's members change.
  if (network === undefined || before?.IPAM === after?.IPAM) return undefined;
  return { type: "network", id: network.Id, attributes: { name: network.Name } };
}

export function toldOfNode({ before, after }: Move<Node>): EventActor | undefined {
  const node = after ?? before;
  if (node === undefined) return undefined;
  const name = hostnameOf(node);
  return {
    type: "node",
    id: node.ID,
    attributes: { name, ...changed(before, after, nodeFields) },
  };
}

export function toldOfService({ before, after }: Move<Service>): EventActor | undefined {
  const service = after ?? before;
  if (service === undefined) return undefined;
  const { Name: name } = service.Spec;
  return {
    type: "service",
    id: service.ID,
    attributes: { name, ...changed(before, after, serviceFields) },
  };
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

/** Returns: whether a client with these filters gets the event. */
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
