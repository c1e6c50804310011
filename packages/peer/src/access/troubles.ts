/**
 * Troubles: what is wrong with this peer or with its input, for a person to see.
 *
 * Decides when to log a trouble: when it begins, and then at most once an hour while it lasts. Keeps the newest
 * ones for `gam status`.
 */

/** A trouble that lasts is logged again after this many ticks of the peer: an hour. */
const tellTicks = 72_000;
/** More than a person reads. */
const troublesMax = 32;
/** Shown until a day after it last occurred. */
const keepTicks = 24 * tellTicks;

/** Reports a trouble. The same `key` means the same trouble. */
export type Tell = (key: string, text: string, fields: Readonly<Record<string, unknown>>) => void;

interface Trouble {
  readonly text: string;
  readonly metTick: number;
  readonly toldTick: number;
}

export class Troubles {
  readonly #troubles = new Map<string, Trouble>();
  #nowTick = 0;

  tick(): void {
    this.#nowTick += 1;
    if (this.#nowTick % tellTicks !== 0) return;
    for (const [key, { metTick }] of this.#troubles) {
      if (this.#nowTick - metTick >= keepTicks) this.#troubles.delete(key);
    }
  }

  /**
   * Records a trouble. The same `key` means the same trouble. Returns: whether the caller has to log it now.
   */
  isNews(key: string, text: string): boolean {
    const known = this.#troubles.get(key);
    this.#troubles.delete(key);
    const isDue = known === undefined || this.#nowTick - known.toldTick >= tellTicks;
    const toldTick = isDue ? this.#nowTick : known.toldTick;
    this.#troubles.set(key, { text, metTick: this.#nowTick, toldTick });
    for (const oldest of this.#troubles.keys()) {
      if (this.#troubles.size <= troublesMax) break;
      this.#troubles.delete(oldest);
    }
    return isDue;
  }

  /** The most recent trouble comes last. */
  get all(): readonly string[] {
    return [...this.#troubles.values()].map(({ text }) => text);
  }
}
