/** Heat: which hosts have been busy for so long that tasks should move away. Call look() at a fixed pace, of 15 s. */
import type { NodeId } from "@gam/core";
import type { Usage } from "@gam/state";

/** A host with more of its CPUs in use is busy. */
export const busyCpu = 0.85;
/** A minute: builds and starts of services are over by then. */
const looksMin = 4;

export class Heat {
  #looks = new Map<NodeId, number>();

  look(usage: ReadonlyMap<NodeId, Usage>): void {
    const busy = [...usage].filter(([, { cpu }]) => cpu >= busyCpu);
    this.#looks = new Map(busy.map(([id]) => [id, 1 + (this.#looks.get(id) ?? 0)]));
  }

  get hot(): ReadonlySet<NodeId> {
    return new Set([...this.#looks].filter(([, looks]) => looks >= looksMin).map(([id]) => id));
  }
}
