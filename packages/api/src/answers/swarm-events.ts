/**
 * Swarm events: the cluster's events in the form of `docker events`, as they happen.
 *
 * Decides the form of an event and which filters it passes. Which changes are events, and for how long they are
 * kept, the state decides.
 *
 * Source: Docker Engine API 1.41, SystemEvents.
 */
import type { Happening, View } from "@gam/state";
import type { Filters } from "../request/filters.ts";

export interface SwarmEvent {
  readonly Type: Happening["type"];
  readonly Action: Happening["action"];
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: "swarm";
  /** Seconds since 1970. */
  readonly time: number;
  /** Nanoseconds since 1970. */
  readonly timeNano: number;
}

export class SwarmEvents {
  readonly #view: () => View;
  readonly #listeners = new Set<(event: SwarmEvent) => void>();
  /** Number of the last event that the listeners got. */
  #told: number;

  /** `view`: this peer's copy of the state. */
  constructor(view: () => View) {
    this.#view = view;
    this.#told = this.#newest();
  }

  /** Call it after every change of the state. */
  notice(): void {
    const newest = this.#newest();
    const told = this.#told;
    if (newest === told) return;
    this.#told = newest;
    // This peer has left its cluster. What happened before in the next one is not news.
    if (newest < told) return;
    const events = this.#view()
      .happenings()
      .filter(({ number }) => number > told);
    for (const event of events) for (const listener of this.#listeners) listener(eventOf(event));
  }

  /** Returns: the kept events since that time, oldest first. */
  since(momentMs: number): readonly SwarmEvent[] {
    return this.#view()
      .happenings()
      .filter(({ atMs }) => atMs >= momentMs)
      .map(eventOf);
  }

  /** Returns: a function that ends it. */
  listen(listener: (event: SwarmEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #newest(): number {
    return this.#view().happenings().at(-1)?.number ?? 0;
  }
}

function eventOf({ type, action, id, attributes, atMs }: Happening): SwarmEvent {
  return {
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: "swarm",
    time: Math.floor(atMs / 1000),
    timeNano: atMs * 1e6,
  };
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
