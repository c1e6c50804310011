/** Measuring: when to measure the usage of the host. */
import type { View } from "@gam/state";

/**
 * Every second (20 ticks), and less often where all peers together would send more than 100 messages a second.
 */
const usageTicks = 20;
const messagesPerSecondMax = 100;

export class Measuring {
  #dueTick = 0;

  /** Whether the caller has to measure now. */
  isDue(nowTick: number, view: View): boolean {
    if (nowTick < this.#dueTick) return false;
    const spread = (view.nodes().length / messagesPerSecondMax) * usageTicks;
    this.#dueTick = nowTick + Math.max(usageTicks, Math.ceil(spread));
    return true;
  }
}
