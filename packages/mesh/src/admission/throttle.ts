/** Throttle: how often one host may try. A burst at once, then one try each second. */

const remembered = 1_000;

export class Throttle {
  readonly #burst: number;
  /** When the host may try a full burst again, in milliseconds of the caller's clock. */
  readonly #clearMs = new Map<string, number>();

  constructor(burst: number) {
    this.#burst = burst;
  }

  /** Whether `host` may try now. Keeps a thousand hosts; a new one replaces the host that tried longest ago. */
  allows(host: string, nowMs: number): boolean {
    const clearMs = Math.max(this.#clearMs.get(host) ?? 0, nowMs) + 1_000;
    if (clearMs - nowMs > this.#burst * 1_000) return false;
    this.#clearMs.delete(host);
    this.#clearMs.set(host, clearMs);
    const oldest = this.#clearMs.keys().next();
    if (this.#clearMs.size > remembered && !oldest.done) this.#clearMs.delete(oldest.value);
    return true;
  }
}
