/**
 * Network: which messages arrive, and when.
 *
 * Weather says how many messages are lost, how long they take and how often one comes twice. A cut
 * separates two hosts in one direction or both. Messages may arrive out of order, which is harder than
 * on real streams. `streams` models TCP on a lossy switch instead: no message is lost or out of order,
 * but a lost frame is sent again after 0.2, 0.4 and 0.8 s, and everything behind it waits.
 */
import type { NodeId, Random } from "@gam/core";

export interface Weather {
  /** Of messages, or with `streams` of frames. */
  readonly lossPercent: number;
  readonly streams?: boolean;
  readonly doublePercent: number;
  readonly delayMsMax: number;
}

export const calmWeather: Weather = { lossPercent: 0, doublePercent: 0, delayMsMax: 4 };

/**
 * Limits the stall of a stream to 1.4 s. With longer ones, two of three watchers would rightly report a
 * healthy host as lost, about once in ten thousand histories.
 */
const lossesInRowMax = 3;

export class SimNetwork {
  readonly #random: Random;
  readonly #cuts = new Set<string>();
  /** When the last message of a link arrives, in virtual milliseconds. */
  readonly #arrives = new Map<string, number>();
  weather: Weather = calmWeather;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The delay of each copy of a message that arrives, in milliseconds; empty when it is lost. */
  fate(from: NodeId, to: NodeId, nowMs: number): readonly number[] {
    if (this.#cuts.has(`${from}>${to}`)) return [];
    const { lossPercent, doublePercent, delayMsMax, streams } = this.weather;
    if (streams) return [this.#onStream(`${from}>${to}`, nowMs)];
    if (this.#random.below(100) < lossPercent) return [];
    const copies = this.#random.below(100) < doublePercent ? 2 : 1;
    return Array.from({ length: copies }, () => 1 + this.#random.below(delayMsMax));
  }

  #onStream(link: string, nowMs: number): number {
    const { lossPercent, delayMsMax } = this.weather;
    let atMs = nowMs + 1 + this.#random.below(delayMsMax);
    for (let lost = 0; lost < lossesInRowMax && this.#random.below(100) < lossPercent; lost += 1) {
      atMs += 200 * 2 ** lost;
    }
    atMs = Math.max(atMs, this.#arrives.get(link) ?? 0);
    this.#arrives.set(link, atMs);
    return atMs - nowMs;
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from}>${to}`);
  }

  /** Cuts all connections between the two sides. */
  split(left: readonly NodeId[], right: readonly NodeId[]): void {
    for (const a of left) {
      for (const b of right) {
        this.cut(a, b);
        this.cut(b, a);
      }
    }
  }

  /** Whether every message arrives, with little delay. */
  get isWell(): boolean {
    return this.#cuts.size === 0 && this.weather === calmWeather;
  }

  heal(): void {
    this.#cuts.clear();
  }
}
