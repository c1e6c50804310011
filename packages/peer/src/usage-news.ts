/**
 * UsageNews: which measurements of this host are worth telling everybody.
 *
 * Decides by how far usage has moved since it was told last. A mesh in which nothing happens then
 * gossips a fifth of what it would, and what the scheduler weighs is still right to a few percent.
 */
import type { Usage } from "@gam/state";

/** Told at least so often, so that a new peer, or one that missed it, knows before long. */
const silentMsMax = 5000;
/** Changes of less than these shares of the whole are noise. */
const cpuShare = 0.05;
const memoryShare = 0.01;
const diskShare = 0.01;

export class UsageNews {
  #told: Usage | undefined;

  /** Whether to tell this one. Whoever is told so tells it. */
  isNews(usage: Usage): boolean {
    if (this.#told !== undefined && !differs(this.#told, usage)) return false;
    this.#told = usage;
    return true;
  }
}

function differs(told: Usage, now: Usage): boolean {
  const sinceMs = now.atMs - told.atMs;
  // A clock that went back says nothing about how long it has been.
  if (sinceMs < 0 || sinceMs >= silentMsMax) return true;
  return (
    Math.abs(now.cpu - told.cpu) >= cpuShare ||
    Math.abs(now.memoryBytes - told.memoryBytes) >= memoryShare * now.memoryTotalBytes ||
    Math.abs(now.diskFreeBytes - told.diskFreeBytes) >= diskShare * told.diskFreeBytes ||
    now.containers !== told.containers ||
    now.images.length !== told.images.length ||
    now.images.some((image, index) => image !== told.images[index])
  );
}
