/**
 * Pace: turns time into ticks of the peer.
 *
 * The peer says how many ticks it lets pass at once. Before each other input it is told of those that have
 * passed, so what comes in meets the tick of its moment. Ticks that are more than it allowed did not come because
 * this process was held up: those are late, and are not made up for.
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

  /** Returns: what the peer is to be told; undefined while the tick lasts. `isWoken`: by the timer, which may be early. */
  passed(nowMs: number, isWoken = false): Passed | undefined {
    const tickMs = this.#tickMs;
    const earlyMs = isWoken ? tickMs / 2 : 0;
    const passedTicks = Math.floor((nowMs + earlyMs - this.#tickedMs) / tickMs);
    if (passedTicks < 1) return undefined;
    const ticks = Math.min(passedTicks, this.#restTicks);
    this.#tickedMs += ticks * tickMs;
    const lateTicks = Math.max(0, Math.floor((nowMs - this.#tickedMs) / tickMs));
    // The next one is not due at once.
    if (lateTicks > 0) this.#tickedMs = nowMs - tickMs / 2;
    return { ticks, lateTicks };
  }

  /** The peer lets so many pass from its last tick on. Returns: until when to wake it, in ms. */
  rest(nowMs: number, restTicks: number): number {
    this.#restTicks = restTicks;
    return Math.max(0, this.#tickedMs + restTicks * this.#tickMs - nowMs);
  }
}
