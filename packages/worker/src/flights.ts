/**
 * Flights: tracks the running engine actions, and limits their number.
 *
 * Each lane has its own limit, so that pulls (which wait for a registry) and stops (which wait for a container) do
 * not delay other actions.
 */
import type { NetworkId } from "@gam/core";
import type { ActionId, EngineAction } from "./action.ts";
import type { WorkerLimits } from "./limits.ts";

type Lane = "quick" | "stop" | "pull";
export type NewAction<A = EngineAction> = A extends EngineAction ? Omit<A, "id"> : never;

const laneOf = {
  ensureImage: "pull",
  ensureNetwork: "quick",
  pruneNetworks: "quick",
  create: "quick",
  start: "quick",
  inspect: "quick",
  stop: "stop",
  remove: "quick",
} as const satisfies Record<EngineAction["kind"], Lane>;

export class Flights {
  readonly #room: Readonly<Record<Lane, number>>;
  readonly #flying = new Map<ActionId, EngineAction>();
  #nextId: ActionId = 1;

  constructor({ actionsMax, stopsMax, pullsMax }: WorkerLimits) {
    this.#room = { quick: actionsMax, stop: stopsMax, pull: pullsMax };
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

  pulling(image: string, registryAuth: string): boolean {
    for (const action of this.#flying.values()) {
      if (action.kind !== "ensureImage") continue;
      if (action.image === image && action.registryAuth === registryAuth) return true;
    }
    return false;
  }

  ensuring(network: NetworkId): boolean {
    for (const action of this.#flying.values()) {
      if (action.kind === "ensureNetwork" && action.network.network === network) return true;
    }
    return false;
  }
}
