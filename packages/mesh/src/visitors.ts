/**
 * Visitors: connections that came in and have not proved membership.
 *
 * Decides how many there may be and for how long. Whoever is let in, or hangs up, is no visitor.
 */
import type { Connection } from "@libp2p/interface";
import { addressOf } from "./address.ts";
import { idOf } from "./admission.ts";
import { cutOff } from "./hang-up.ts";
import type { Limits } from "./limits.ts";
import type { Refusal, Refusals } from "./refusals.ts";

export interface VisitorsOptions {
  readonly limits: Limits;
  readonly refusals: Refusals;
}

export class Visitors {
  readonly #options: VisitorsOptions;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(options: VisitorsOptions) {
    this.#options = options;
  }

  add(connection: Connection): void {
    if (connection.direction === "outbound") return;
    const { visitorsMax, helloMs } = this.#options.limits;
    if (this.#timers.size >= visitorsMax) {
      return this.#turnOut(connection, "flood", `${this.#timers.size} others have not said hello`);
    }
    this.extend(connection, helloMs);
  }

  /** It may stay for `ms` more. */
  extend(connection: Connection, ms: number): void {
    clearTimeout(this.#timers.get(connection.id));
    const timer = setTimeout(() => {
      this.#timers.delete(connection.id);
      this.#turnOut(connection, "stranger", "did not prove that it is a member");
    }, ms);
    timer.unref();
    this.#timers.set(connection.id, timer);
  }

  remove(connection: Connection): void {
    clearTimeout(this.#timers.get(connection.id));
    this.#timers.delete(connection.id);
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #turnOut(connection: Connection, refusal: Refusal, reason: string): void {
    this.#options.refusals.add(refusal, addressOf(connection.remoteAddr), idOf(connection), reason);
    cutOff(connection, reason);
  }
}
