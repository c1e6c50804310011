/**
 * LocalHealth: how much this peer should trust its own opinions.
 *
 * Two kinds of trouble. Slow: ticks come late, or helpers do not answer. Each adds to a score that
 * stretches every deadline, as in Lifeguard. Blind: most neighbours fell silent at once. Then our own
 * cable is more likely the cause than theirs, and our opinion does not count.
 *
 * Lifeguard also counts each missed ack. Here that would make this peer look ill as long as one of its four
 * neighbours is dead, so missed acks count only across neighbours.
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

  /** The factor for deadlines: 1 when well, up to 2.75. */
  stretch(): number {
    return 1 + this.#slow / 4;
  }

  stalled(nowTick: number, ticks: number): void {
    this.#worsen(nowTick, 1 + Math.floor(ticks / 10));
  }

  /** None of the helpers asked has answered. */
  helpersSilent(nowTick: number): void {
    this.#worsen(nowTick, 1);
  }

  tick(nowTick: number, neighbours: { readonly all: number; readonly silent: number }): void {
    if (nowTick - this.#healTick >= this.#config.healTicks) {
      this.#slow = Math.max(0, this.#slow - 1);
      this.#healTick = nowTick;
    }
    // One silent neighbour proves nothing about us: of two peers, each has only its own opinion.
    const mostSilent = neighbours.all >= 2 && neighbours.silent * 2 > neighbours.all;
    if (!mostSilent) this.#mostSilentTick = undefined;
    else this.#mostSilentTick ??= nowTick;
    // A peer that hears nobody stays blind. One that still hears a neighbour has asked it to probe the silent
    // ones, so after blindTicks it may trust what it sees.
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
