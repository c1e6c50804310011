/**
 * Oddities: what a plan leaves out because its value cannot be good, in sentences for people.
 *
 * One bad object must cost that object alone. Whoever plans asks here for each value, gets `undefined` for
 * a bad one, leaves out what depends on it, and goes on.
 */

/** A peer that writes very many bad objects must not make a status of megabytes. */
const toldMax = 20;
const valueLengthMax = 80;

export class Oddities {
  readonly #told = new Set<string>();

  /** `safe` as it came; where it is `undefined`, what `what` names is left out for `found`. */
  unless<T>(safe: T | undefined, what: () => string, found: string | number): T | undefined {
    if (safe === undefined) this.leftOut(what(), `found ${shown(found)}`);
    return safe;
  }

  leftOut(what: string, why: string): void {
    this.#told.add(`Cannot use ${what}: ${why}`);
  }

  /** Sorted. */
  get sentences(): readonly string[] {
    const all = [...this.#told].sort();
    if (all.length <= toldMax) return all;
    return [
      ...all.slice(0, toldMax),
      `Cannot use ${all.length - toldMax} more objects of the state`,
    ];
  }
}

/** In quotes, on one line, and short. */
export function shown(found: string | number): string {
  const text = String(found);
  return JSON.stringify(text.length > valueLengthMax ? `${text.slice(0, valueLengthMax)}…` : text);
}
