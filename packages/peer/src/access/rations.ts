/**
 * Rations: how many writes a worker may ask for.
 *
 * A healthy worker writes when something of its own changes, and puts simultaneous changes into one write. A
 * worker that writes all the time would fill every peer's disk with its log entries.
 */
import type { NodeId } from "@gam/core";

/** Largest burst: every task of a host changes, one after the other. */
const burst = 100;
/** One more write every 2 ticks: ten a second. */
const refillTicks = 2;

export class Rations {
  /** The tick at which each worker's budget is full again. */
  readonly #clearTick = new Map<NodeId, number>();
  #nowTick = 0;

  tick(): void {
    this.#nowTick += 1;
    for (const [id, clearTick] of this.#clearTick) {
      if (clearTick <= this.#nowTick) this.#clearTick.delete(id);
    }
  }

  /** Returns: whether that worker may write now. If so, counts the write. */
  allows(id: NodeId): boolean {
    const clearTick = (this.#clearTick.get(id) ?? this.#nowTick) + refillTicks;
    if (clearTick - this.#nowTick > burst * refillTicks) return false;
    this.#clearTick.set(id, clearTick);
    return true;
  }
}
