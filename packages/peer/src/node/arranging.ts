/**
 * Arranging: when this node's part of the networks is planned anew.
 *
 * Decides only the moment: at once after something has moved that a plan is made from, but not more
 * than once in a tick, and not from a copy of the state that may be old. What a kernel was told before
 * this peer came up holds until then, because an old plan would take away what has come since.
 */
import type { Event } from "@gam/state";

/** After 5 s nobody is going to say what is new: the copy is the best there is. */
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

  /** Whether it is planned now. Whoever is told so plans it. */
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
