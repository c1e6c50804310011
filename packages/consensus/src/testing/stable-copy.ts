/**
 * StableCopy: what a disk holds after a sequence of persist effects. It defines the effect in a few
 * lines; a real store must agree with it.
 */
import { assert } from "@gam/core";
import type { Effect } from "../effect.ts";
import type { Entry, HardState, Restored, Snapshot } from "../log/durable.ts";

export type Write = Extract<Effect, { kind: "persist" }>;

export class StableCopy {
  #hardState: HardState;
  #snapshot: Snapshot | undefined;
  #entries: Entry[];

  constructor({ hardState, snapshot, entries }: Restored) {
    this.#hardState = hardState;
    this.#snapshot = snapshot;
    this.#entries = [...entries];
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  get lastIndex(): number {
    return this.#entries.at(-1)?.index ?? this.#snapshot?.index ?? 0;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** 0 before the first entry, `undefined` inside the snapshot and behind the end. */
  term(index: number): number | undefined {
    if (index === (this.#snapshot?.index ?? 0)) return this.#snapshot?.term ?? 0;
    return this.#entries[index - (this.#snapshot?.index ?? 0) - 1]?.term;
  }

  write({ hardState, snapshot, entries }: Write): void {
    if (hardState !== undefined) this.#hardState = hardState;
    if (snapshot !== undefined) {
      const agrees = this.term(snapshot.index) === snapshot.term;
      this.#entries = agrees ? this.#entries.filter((one) => one.index > snapshot.index) : [];
      this.#snapshot = snapshot;
    }
    const [first] = entries;
    if (first === undefined) return;
    assert(first.index > (this.#snapshot?.index ?? 0), "entries follow the snapshot");
    assert(first.index <= this.lastIndex + 1, "entries leave no gap");
    this.#entries = [...this.#entries.filter((one) => one.index < first.index), ...entries];
  }

  restored(): Restored {
    return { hardState: this.#hardState, snapshot: this.#snapshot, entries: [...this.#entries] };
  }

  /** A copy of the present state; later writes do not change it. */
  clone(): StableCopy {
    return new StableCopy(this.restored());
  }
}
