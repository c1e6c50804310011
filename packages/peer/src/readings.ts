/**
 * Readings: what clients of this peer wait for before they read its copy of the state.
 *
 * Decides when a reader is asked for at the leader, and when it gets its copy as it is because no answer came.
 *
 * Drive it with add(), tick(), lead() when there is another leader, and answered() for each answer of Raft.
 */
import type { Mint } from "@gam/core";

/** A reader gets its copy as it is after 2 s without an answer: an election is over by then. */
const patienceTicks = 40;
/** Without a leader for 5 s there is nothing to wait for. */
const leaderlessTicks = 100;

interface Reading {
  readonly request: number;
  readonly untilTick: number;
  /** A leader was asked. */
  readonly placed: boolean;
}

export interface ReadingsParts {
  readonly mint: Mint;
  readonly isLed: () => boolean;
  /** Asks the leader under this name. The answer may come at once. */
  readonly ask: (id: string) => void;
  /** `fresh`: the copy holds all that was acknowledged before the read was asked for. */
  readonly settle: (request: number, fresh: boolean) => void;
}

export class Readings {
  readonly #parts: ReadingsParts;
  readonly #readings = new Map<string, Reading>();
  #nowTick = 0;
  /** When a leader was known last. */
  #ledTick = 0;

  constructor(parts: ReadingsParts) {
    this.#parts = parts;
  }

  add(request: number): void {
    const { mint, isLed, settle } = this.#parts;
    if (!isLed() && this.#nowTick - this.#ledTick >= leaderlessTicks) return settle(request, false);
    const untilTick = this.#nowTick + patienceTicks;
    this.#readings.set(mint.id(), { request, untilTick, placed: false });
    this.lead();
  }

  tick(): void {
    this.#nowTick += 1;
    for (const [id, reading] of this.#readings) {
      if (this.#nowTick >= reading.untilTick) this.#settle(id, reading.request, false);
    }
    this.lead();
  }

  /** Asks the leader there is now for what was asked of none, or of one that is gone. */
  lead(): void {
    if (!this.#parts.isLed()) return;
    this.#ledTick = this.#nowTick;
    // An answer may come at once, and change what is waiting.
    for (const [id, reading] of [...this.#readings]) {
      if (reading.placed) continue;
      this.#readings.set(id, { ...reading, placed: true });
      this.#parts.ask(id);
    }
  }

  answered(id: string, fresh: boolean): void {
    const reading = this.#readings.get(id);
    if (reading === undefined) return;
    if (fresh) return this.#settle(id, reading.request, true);
    // The leader went away meanwhile. The next one is asked, under a name that Raft does not know.
    this.#readings.delete(id);
    this.#readings.set(this.#parts.mint.id(), { ...reading, placed: false });
  }

  #settle(id: string, request: number, fresh: boolean): void {
    this.#readings.delete(id);
    this.#parts.settle(request, fresh);
  }
}
