/**
 * UsageNews: which measurements of this host are worth sending to all peers.
 *
 * Decides by how far usage has moved since it was last sent. An idle mesh then gossips a fifth of what it would
 * otherwise, and the scheduler's numbers are still right to a few percent.
 *
 * Processor time is measured over one second, which is noisy: a garbage collector, a timer or a neighbour on
 * the same machine moves it by more than a few percent. So a change is sent only when three measurements in a
 * row agree on its direction.
 */
import type { Usage } from "@gam/state";

/** Sent at least this often, so that a peer that is new or missed it soon knows. */
const silentMsMax = 10_000;
/** Changes of less than these shares of the whole are noise. */
const cpuShare = 0.05;
/** Measurements in a row that have to show more processor time, or less. */
const cpuLasts = 3;
const memoryShare = 0.01;
const diskShare = 0.01;

export class UsageNews {
  #told: Usage | undefined;
  /** Measurements in a row with more processor time than was last sent (positive), or less (negative). */
  #moved = 0;

  /** Whether the caller has to send this one. */
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
    now.images.some((image, index) => image !== told.images[index]) ||
    checksIn(now) !== checksIn(told)
  );
}

/** What tasks said of themselves: a rollout waits for it, or has to go back. */
function checksIn({ tasks = [] }: Usage): string {
  return tasks.map(({ id, check }) => (check ? `${id} ${check.failures}` : "")).join();
}
