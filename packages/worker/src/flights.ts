/**
 * Flights: tracks the running engine actions, and limits their number.
 *
 * Each lane has its own limit, so that pulls (which wait for a registry), stops (which wait for a container) and
 * files (which wait for a manager) do not delay other actions. Counts of connections do not ask the engine.
 */
import type { NetworkId, ServiceId } from "@gam/core";
import type { ActionId, EngineAction } from "./action.ts";
import type { WorkerLimits } from "./limits.ts";

type Lane = "quick" | "stop" | "pull" | "files" | "count";
export type NewAction<A = EngineAction> = A extends EngineAction ? Omit<A, "id"> : never;

const laneOf = {
  ensureImage: "pull",
  ensureNetwork: "quick",
  pruneNetworks: "quick",
  placeFiles: "files",
  dropFiles: "quick",
  sweepFiles: "files",
  create: "quick",
  start: "quick",
  inspect: "quick",
  stop: "stop",
  count: "count",
  remove: "quick",
} as const satisfies Record<EngineAction["kind"], Lane>;

export class Flights {
  readonly #room: Readonly<Record<Lane, number>>;
  readonly #flying = new Map<ActionId, EngineAction>();
  #nextId: ActionId = 1;

  constructor({ actionsMax, stopsMax, pullsMax, placesMax, countsMax }: WorkerLimits) {
    this.#room = {
      quick: actionsMax,
      stop: stopsMax,
      pull: pullsMax,
      files: placesMax,
      count: countsMax,
    };
  }

  /** Starts an action. Returns: `undefined` when its lane is full. */
  begin(action: NewAction): EngineAction | undefined {
    const lane = laneOf[action.kind];
    let used = 0;
    for (const { kind } of this.#flying.values()) if (laneOf[kind] === lane) used += 1;
    if (used >= this.#room[lane]) return undefined;
    const numbered: EngineAction = { ...action, id: this.#nextId };
    this.#nextId += 1;
    this.#flying.set(numbered.id, numbered);
    return numbered;
  }

  /** Ends an action. Returns: the action; `undefined` when it was answered before. */
  end(id: ActionId): EngineAction | undefined {
    const action = this.#flying.get(id);
    this.#flying.delete(id);
    return action;
  }

  /** `service`: whose credentials the pull has; undefined for none. */
  pulling(image: string, service: ServiceId | undefined): boolean {
    for (const action of this.#flying.values()) {
      if (action.kind !== "ensureImage") continue;
      if (action.image === image && action.credentials?.service === service) return true;
    }
    return false;
  }

  /** Whether the files of some task are being written. */
  get isPlacing(): boolean {
    for (const { kind } of this.#flying.values()) if (kind === "placeFiles") return true;
    return false;
  }

  ensuring(network: NetworkId): boolean {
    for (const action of this.#flying.values()) {
      if (action.kind === "ensureNetwork" && action.network.network === network) return true;
    }
    return false;
  }
}
