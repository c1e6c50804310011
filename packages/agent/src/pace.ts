/**
 * Pace: turns time into ticks of the peer.
 *
 * The peer says how many ticks may pass at once. Before any other input it gets the ticks that have passed, so
 * that it handles the input at the right tick. If more ticks have passed than it allowed, this process was
 * delayed: the rest counts as late and is not delivered.
 *
 * Drive it with passed() before each input and at `delayMs` after each step.
 */

export interface Passed {
  /** At least 1. */
  readonly ticks: number;
  readonly lateTicks: number;
}

export class Pace {
  readonly #tickMs: number;
  /** When the last tick was due. */
  #tickedMs: number;
  #restTicks = 1;

  constructor(tickMs: number, nowMs: number) {
    this.#tickMs = tickMs;
    this.#tickedMs = nowMs;
  }

  /**
   * Returns: the ticks for the peer; undefined before the next tick. `isWoken`: called by the timer, which may
   * be early.
   */
  passed(nowMs: number, isWoken = false): Passed | undefined {
    const tickMs = this.#tickMs;
    const earlyMs = isWoken ? tickMs / 2 : 0;
    const passedTicks = Math.floor((nowMs + earlyMs - this.#tickedMs) / tickMs);
    if (passedTicks < 1) return undefined;
    const ticks = Math.min(passedTicks, this.#restTicks);
    this.#tickedMs += ticks * tickMs;
    const lateTicks = Math.max(0, Math.floor((nowMs - this.#tickedMs) / tickMs));
    // Keep the next tick from being due at once.
    if (lateTicks > 0) this.#tickedMs = nowMs - tickMs / 2;
    return { ticks, lateTicks };
  }

  /**
   * `restTicks`: how many may pass at once after the last tick. Returns: the delay until the peer must wake, in
   * ms.
   */
  rest(nowMs: number, restTicks: number): number {
    this.#restTicks = restTicks;
    return Math.max(0, this.#tickedMs + restTicks * this.#tickMs - nowMs);
  }
}
