/**
 * Oddities: collects what a plan leaves out because a value is invalid, in sentences for people.
 *
 * One bad object must cost only that object. The planner passes each value through here, gets `undefined` for a
 * bad one, leaves out what depends on it, and goes on.
 */

/** Very many bad objects must not make a status of megabytes. */
const toldMax = 20;
const valueLengthMax = 80;

export class Oddities {
  readonly #told = new Set<string>();

  /** Returns `safe`. When it is `undefined`, records that `what` is left out because of the value `found`. */
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

/** The value in quotes, on one line, and shortened. */
export function shown(found: string | number): string {
  const text = String(found);
  return JSON.stringify(text.length > valueLengthMax ? `${text.slice(0, valueLengthMax)}…` : text);
}
