/**
 * ReadDesk: the reads that this peer's caller waits for.
 *
 * The peer asks the leader, which gives the read an index. The read is ready once this peer has
 * committed up to that index. A read without an index is lost when the leader changes; a read with
 * an index stays valid.
 */

interface Asked {
  index: number | undefined;
  readonly sinceTick: number;
}

export class ReadDesk {
  readonly #reads = new Map<string, Asked>();

  get size(): number {
    return this.#reads.size;
  }

  has(id: string): boolean {
    return this.#reads.has(id);
  }

  ask(id: string, nowTick: number): void {
    this.#reads.set(id, { index: undefined, sinceTick: nowTick });
  }

  placed(id: string, index: number): void {
    const read = this.#reads.get(id);
    if (read !== undefined) read.index ??= index;
  }

  unplaced(): string[] {
    return [...this.#reads].filter(([, read]) => read.index === undefined).map(([id]) => id);
  }

  takeReady(commit: number): string[] {
    return this.#take((read) => read.index !== undefined && read.index <= commit);
  }

  /** Removes and returns the reads without an index: their leader is gone. */
  takeUnplaced(): string[] {
    return this.#take((read) => read.index === undefined);
  }

  takeOlderThan(tick: number): string[] {
    return this.#take((read) => read.sinceTick < tick);
  }

  #take(is: (read: Asked) => boolean): string[] {
    const taken: string[] = [];
    for (const [id, read] of this.#reads) {
      if (!is(read)) continue;
      this.#reads.delete(id);
      taken.push(id);
    }
    return taken;
  }
}
