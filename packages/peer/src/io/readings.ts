/**
 * Readings: who waits until this copy holds all that was acknowledged before.
 *
 * Decides how long a reader waits, and that the next leader is asked when one goes away. What a leader answers is
 * Raft's to say.
 */
import type { Mint } from "@gam/core";

/** A reader gets its copy as it is after 2 s without an answer: an election is over by then. */
const patienceTicks = 40;
/** Without a leader for 5 s there is nothing to wait for. */
const leaderlessTicksMax = 100;

interface Reading {
  readonly request: number;
  readonly untilTick: number;
  /** A leader was asked. */
  readonly placed: boolean;
}

export interface ReadingsParts {
  readonly mint: Mint;
  /** Asks the leader there is, under this id. */
  readonly ask: (id: string) => void;
  readonly settle: (request: number, fresh: boolean) => void;
}

export class Readings {
  readonly #parts: ReadingsParts;
  readonly #waiting = new Map<string, Reading>();
  #nowTick = 0;
  /** When a leader was known last. */
  #ledTick = 0;

  constructor(parts: ReadingsParts) {
    this.#parts = parts;
  }

  get leaderlessTicks(): number {
    return this.#nowTick - this.#ledTick;
  }

  add(request: number, isLed: boolean): void {
    if (!isLed && this.leaderlessTicks >= leaderlessTicksMax) {
      return this.#parts.settle(request, false);
    }
    const untilTick = this.#nowTick + patienceTicks;
    this.#waiting.set(this.#parts.mint.id(), { request, untilTick, placed: false });
    if (isLed) this.place();
  }

  tick(isLed: boolean): void {
    this.#nowTick += 1;
    for (const [id, reading] of this.#waiting) {
      if (this.#nowTick >= reading.untilTick) this.#settle(id, reading.request, false);
    }
    if (isLed) this.place();
  }

  /** Asks the leader there is now for what was asked of none, or of one that is gone. */
  place(): void {
    this.#ledTick = this.#nowTick;
    // An answer may come at once, and change what is waiting.
    for (const [id, reading] of [...this.#waiting]) {
      if (reading.placed) continue;
      this.#waiting.set(id, { ...reading, placed: true });
      this.#parts.ask(id);
    }
  }

  answered(id: string, fresh: boolean): void {
    const reading = this.#waiting.get(id);
    if (reading === undefined) return;
    if (fresh) return this.#settle(id, reading.request, true);
    // The leader went away meanwhile. The next one is asked, under a name that Raft does not know.
    this.#waiting.delete(id);
    this.#waiting.set(this.#parts.mint.id(), { ...reading, placed: false });
  }

  #settle(id: string, request: number, fresh: boolean): void {
    this.#waiting.delete(id);
    this.#parts.settle(request, fresh);
  }
}
