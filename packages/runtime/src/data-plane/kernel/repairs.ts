/**
 * Repairs: how often gam may restore what another program keeps removing.
 *
 * Decides when the next repair may happen: the first ones at once, further ones after a delay that doubles. Without
 * it gam and a firewall program would undo each other's work in a loop.
 */
const windowMs = 600_000;
const freeRepairs = 3;
const delayMsMin = 15_000;

export class Repairs {
  #times: readonly number[] = [];

  /** Repairs in the last ten minutes. `nowMs`: of any clock that never goes back. */
  count(nowMs: number): number {
    this.#times = this.#times.filter((atMs) => nowMs - atMs < windowMs);
    return this.#times.length;
  }

  /** Milliseconds until the next repair may happen. */
  waitMs(nowMs: number): number {
    const further = this.count(nowMs) - freeRepairs;
    if (further < 0) return 0;
    const delayMs = Math.min(windowMs, delayMsMin * 2 ** further);
    return Math.max(0, (this.#times.at(-1) ?? 0) + delayMs - nowMs);
  }

  done(nowMs: number): void {
    this.#times = [...this.#times, nowMs];
  }
}
