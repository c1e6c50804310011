/**
 * Network: which messages arrive, and when.
 *
 * Weather says how many are lost, how long they take and how often one comes twice. A cut stands
 * between two hosts in one direction or both. Order is not kept: what holds here holds on streams.
 */
import type { NodeId, Random } from "@gam/core";

export interface Weather {
  readonly lossPercent: number;
  readonly doublePercent: number;
  readonly delayMsMax: number;
}

export const calmWeather: Weather = { lossPercent: 0, doublePercent: 0, delayMsMax: 4 };

export class SimNetwork {
  readonly #random: Random;
  readonly #cuts = new Set<string>();
  weather: Weather = calmWeather;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Delays of the copies of one message that arrive, in milliseconds; none when it is lost. */
  fate(from: NodeId, to: NodeId): readonly number[] {
    if (this.#cuts.has(`${from}>${to}`)) return [];
    const { lossPercent, doublePercent, delayMsMax } = this.weather;
    if (this.#random.below(100) < lossPercent) return [];
    const copies = this.#random.below(100) < doublePercent ? 2 : 1;
    return Array.from({ length: copies }, () => 1 + this.#random.below(delayMsMax));
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** No host of one side hears one of the other. */
  split(left: readonly NodeId[], right: readonly NodeId[]): void {
    for (const a of left) {
      for (const b of right) {
        this.cut(a, b);
        this.cut(b, a);
      }
    }
  }

  heal(): void {
    this.#cuts.clear();
  }
}
