/**
 * Readings: reads that wait until this copy holds every write acknowledged before them.
 *
 * Decides how long a read waits, and that the next leader is asked when one fails. What a leader answers is up
 * to Raft.
 */
import type { Mint } from "@gam/core";

/** After 2 s without an answer a read gets the present copy: an election is over by then. */
const patienceTicks = 40;
/** After 5 s without a leader neither reads nor writes of clients wait at all. */
const leaderlessTicksMax = 100;

interface Reading {
  readonly request: number;
  readonly untilTick: number;
  /** A leader has been asked. */
  readonly placed: boolean;
}

export interface ReadingsParts {
  readonly mint: Mint;
  /** Asks the present leader, under this id. */
  readonly ask: (id: string) => void;
  readonly settle: (request: number, fresh: boolean) => void;
}

export class Readings {
  readonly #parts: ReadingsParts;
  readonly #waiting = new Map<string, Reading>();
  #nowTick = 0;
  /** When this peer last knew a leader. */
  #ledTick = 0;

  constructor(parts: ReadingsParts) {
    this.#parts = parts;
  }

  get leaderlessTicks(): number {
    return this.#nowTick - this.#ledTick;
  }

  /** There is no leader, and that is known for longer than an election takes. */
  isHopeless(isLed: boolean): boolean {
    return !isLed && this.leaderlessTicks >= leaderlessTicksMax;
  }

  add(request: number, isLed: boolean): void {
    if (this.isHopeless(isLed)) {
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

  /** Asks the present leader for every read that no leader has been asked for, or whose leader failed. */
  place(): void {
    this.#ledTick = this.#nowTick;
    // An answer may come synchronously and change the map.
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
    // That leader failed meanwhile. Ask the next one, under an id that is new to Raft.
    this.#waiting.delete(id);
    this.#waiting.set(this.#parts.mint.id(), { ...reading, placed: false });
  }

  #settle(id: string, request: number, fresh: boolean): void {
    this.#waiting.delete(id);
    this.#parts.settle(request, fresh);
  }
}
