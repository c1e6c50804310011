/** Measuring: when a peer has the usage of its host measured. */
import type { View } from "@gam/state";

/** Every second (20 ticks), and less often where all of it would be more than 100 messages a second. */
const usageTicks = 20;
const messagesPerSecondMax = 100;

export class Measuring {
  #dueTick = 0;

  /** Whether it is measured now. */
  isDue(nowTick: number, view: View): boolean {
    if (nowTick < this.#dueTick) return false;
    const spread = (view.nodes().length / messagesPerSecondMax) * usageTicks;
    this.#dueTick = nowTick + Math.max(usageTicks, Math.ceil(spread));
    return true;
  }
}
