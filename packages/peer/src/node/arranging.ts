/**
 * Arranging: when to recompute this node's network plan.
 *
 * Decides only the moment: at once after a change of something that the plan depends on, but at most once in a
 * tick, and not from a copy of the state that may be old. The kernel keeps its earlier configuration until
 * then, because an old plan would remove what was added since.
 */
import type { Event } from "@gam/state";

/** After 5 s without news from a leader the copy is the best there is. */
const patienceTicks = 100;

export class Arranging {
  #due = true;
  #nowTick = 0;
  #plannedTick = -1;

  tick(): void {
    this.#nowTick += 1;
  }

  notice(events: readonly Event[]): void {
    this.#due ||= events.some(moves);
  }

  /** Whether the caller has to recompute the plan now. Returns true once for each need. */
  isDue(caughtUp: boolean): boolean {
    if (!this.#due || this.#plannedTick === this.#nowTick) return false;
    if (!caughtUp && this.#nowTick < patienceTicks) return false;
    this.#due = false;
    this.#plannedTick = this.#nowTick;
    return true;
  }
}

function moves({ table, before, after }: Event): boolean {
  if (table !== "task") return true;
  const { attachments } = (after ?? before)?.Gam ?? { attachments: [] };
  return attachments.length > 0;
}
