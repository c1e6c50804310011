/**
 * UsageNews: which measurements of this host are worth telling everybody.
 *
 * Decides by how far usage has moved since it was told last. A mesh in which nothing happens then
 * gossips a fifth of what it would, and what the scheduler weighs is still right to a few percent.
 *
 * Processor time is measured over one second, and one second says little: a garbage collector, a timer or
 * a neighbour on the same machine moves it by more than a few percent. So it is news once it has stayed on the
 * same side for three measurements.
 */
import type { Usage } from "@gam/state";

/** Told at least so often, so that a new peer, or one that missed it, knows before long. */
const silentMsMax = 5000;
/** Changes of less than these shares of the whole are noise. */
const cpuShare = 0.05;
/** Measurements in a row that have to agree that there is more processor time used, or less. */
const cpuLasts = 3;
const memoryShare = 0.01;
const diskShare = 0.01;

export class UsageNews {
  #told: Usage | undefined;
  /** Measurements in a row with more processor time than was told (positive), or less (negative). */
  #moved = 0;

  /** Whether to tell this one. Whoever is told so tells it. */
  isNews(usage: Usage): boolean {
    if (this.#told !== undefined) {
      this.#moved = movedOn(this.#moved, usage.cpu - this.#told.cpu);
      if (Math.abs(this.#moved) < cpuLasts && !differs(this.#told, usage)) return false;
    }
    this.#told = usage;
    this.#moved = 0;
    return true;
  }
}

function movedOn(moved: number, by: number): number {
  if (Math.abs(by) < cpuShare) return 0;
  const side = Math.sign(by);
  return Math.sign(moved) === side ? moved + side : side;
}

function differs(told: Usage, now: Usage): boolean {
  const sinceMs = now.atMs - told.atMs;
  // A clock that went back says nothing about how long it has been.
  if (sinceMs < 0 || sinceMs >= silentMsMax) return true;
  return (
    Math.abs(now.memoryBytes - told.memoryBytes) >= memoryShare * now.memoryTotalBytes ||
    Math.abs(now.diskFreeBytes - told.diskFreeBytes) >= diskShare * told.diskFreeBytes ||
    now.containers !== told.containers ||
    now.images.length !== told.images.length ||
    now.images.some((image, index) => image !== told.images[index])
  );
}
