/**
 * Troubles: what is wrong with this peer, or with what it was given, and a person should know.
 *
 * Decides what is told and how often: each trouble once when it begins, and again while it lasts, but not more
 * often than every hour. Keeps the newest ones for `gam status`.
 */

/** A trouble is told again after so long, in ticks of the peer: an hour. */
const tellTicks = 72_000;
/** More than anybody reads. */
const troublesMax = 32;
/** Shown for a day after it was met last. */
const keepTicks = 24 * tellTicks;

/** Tells a trouble. The same `key` is the same trouble. */
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

  /** Whether to tell it now. Whoever is told so tells it. The same `key` is the same trouble. */
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

  /** The one that was heard of last comes last. */
  get all(): readonly string[] {
    return [...this.#troubles.values()].map(({ text }) => text);
  }
}
