/**
 * LocalHealth: how much this peer should trust its own eyes.
 *
 * Two ways to be unwell. Slow: ticks come late, or helpers say nothing; each adds to a score that
 * stretches every deadline, as in Lifeguard. Blind: most neighbours fell silent at once, which is
 * more likely our own cable than theirs; then our opinion weighs nothing at all.
 *
 * Lifeguard also counts each missed ack. Here one dead neighbour of four would look like illness for
 * as long as it is dead, so missed acks count only across neighbours.
 *
 * Source: Dadgar et al., "Lifeguard: Local Health Awareness for More Accurate Failure Detection" (2018).
 */
import type { MembershipConfig } from "./config.ts";
import { healthMax } from "./message.ts";

const slowMax = healthMax - 1;

export class LocalHealth {
  readonly #config: MembershipConfig;
  #slow = 0;
  #healTick = 0;
  #mostSilentTick: number | undefined;
  #blind = false;

  constructor(config: MembershipConfig) {
    this.#config = config;
  }

  /** 0 is well, `healthMax` is blind. */
  score(): number {
    return this.#blind ? healthMax : this.#slow;
  }

  blind(): boolean {
    return this.#blind;
  }

  /** What deadlines are multiplied with: 1 when well, up to 2.75. */
  stretch(): number {
    return 1 + this.#slow / 4;
  }

  stalled(nowTick: number, ticks: number): void {
    this.#worsen(nowTick, 1 + Math.floor(ticks / 10));
  }

  /** None of the helpers that were asked said anything. */
  helpersSilent(nowTick: number): void {
    this.#worsen(nowTick, 1);
  }

  tick(nowTick: number, neighbours: { readonly all: number; readonly silent: number }): void {
    if (nowTick - this.#healTick >= this.#config.healTicks) {
      this.#slow = Math.max(0, this.#slow - 1);
      this.#healTick = nowTick;
    }
    // One neighbour cannot be most of a mesh: of two peers, each has only its own eyes.
    const mostSilent = neighbours.all >= 2 && neighbours.silent * 2 > neighbours.all;
    if (!mostSilent) this.#mostSilentTick = undefined;
    else this.#mostSilentTick ??= nowTick;
    // Who still hears somebody, and had that one probe the silent ones in vain, is not blind for ever.
    // Who hears nobody is.
    this.#blind =
      this.#mostSilentTick !== undefined &&
      (neighbours.silent === neighbours.all ||
        nowTick - this.#mostSilentTick < this.#config.blindTicks);
  }

  #worsen(nowTick: number, points: number): void {
    this.#slow = Math.min(slowMax, this.#slow + points);
    this.#healTick = nowTick;
  }
}
