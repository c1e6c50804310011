/**
 * Rations: how many writes a worker may ask for.
 *
 * A worker writes when something of its own changes, and puts what changes at once into one write. One that
 * writes all the time would fill the disks of all with its log entries.
 */
import type { NodeId } from "@gam/core";

/** Saved up at most: a host whose tasks all change one after the other. */
const burst = 100;
/** One write more each so many ticks: ten a second. */
const refillTicks = 2;

export class Rations {
  /** When all that each has used will be forgiven. */
  readonly #clearTick = new Map<NodeId, number>();
  #nowTick = 0;

  tick(): void {
    this.#nowTick += 1;
    for (const [id, clearTick] of this.#clearTick) {
      if (clearTick <= this.#nowTick) this.#clearTick.delete(id);
    }
  }

  /** Whether that worker may write now. If so, it is counted. */
  allows(id: NodeId): boolean {
    const clearTick = (this.#clearTick.get(id) ?? this.#nowTick) + refillTicks;
    if (clearTick - this.#nowTick > burst * refillTicks) return false;
    this.#clearTick.set(id, clearTick);
    return true;
  }
}
