/**
 * Visitors: connections that came in and have not proved membership.
 *
 * Decides how many there may be and for how long. When there are too many, the host with the most
 * connections loses its oldest, so a stranger crowds out only its own. A peer that is let in, or hangs
 * up, is not a visitor any more.
 */
import type { Connection } from "@libp2p/interface";
import { addressOf, hostPart } from "../trust/address.ts";
import type { Limits } from "../trust/limits.ts";
import { cutOff } from "../wire/hang-up.ts";
import { idOf } from "./admission.ts";
import type { AdmissionRefusal, Refusals } from "./refusals.ts";

export interface VisitorsOptions {
  readonly limits: Limits;
  readonly refusals: Refusals;
}

interface Visitor {
  readonly connection: Connection;
  readonly host: string;
  timer: NodeJS.Timeout;
}

export class Visitors {
  readonly #options: VisitorsOptions;
  /** By connection id, in the order in which they came. */
  readonly #here = new Map<string, Visitor>();

  constructor(options: VisitorsOptions) {
    this.#options = options;
  }

  add(connection: Connection): void {
    if (connection.direction === "outbound") return;
    const { visitorsMax, helloMs } = this.#options.limits;
    const host = hostPart(addressOf(connection.remoteAddr));
    this.#here.set(connection.id, { connection, host, timer: this.#leaveIn(connection, helloMs) });
    if (this.#here.size <= visitorsMax) return;
    const reason = `${visitorsMax} other connections have not said hello`;
    this.#turnOut(this.#mostUnwelcome() ?? connection, "flood", reason);
  }

  /** Lets the visitor stay for `ms` more. */
  extend(connection: Connection, ms: number): void {
    const visitor = this.#here.get(connection.id);
    if (visitor === undefined) return;
    clearTimeout(visitor.timer);
    visitor.timer = this.#leaveIn(connection, ms);
  }

  remove(connection: Connection): void {
    clearTimeout(this.#here.get(connection.id)?.timer);
    this.#here.delete(connection.id);
  }

  close(): void {
    for (const { timer } of this.#here.values()) clearTimeout(timer);
    this.#here.clear();
  }

  #leaveIn(connection: Connection, ms: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#turnOut(connection, "stranger", "did not prove that it is a member");
    }, ms);
    return timer.unref();
  }

  #mostUnwelcome(): Connection | undefined {
    const oldest = new Map<string, { connection: Connection; count: number }>();
    for (const { host, connection } of this.#here.values()) {
      const known = oldest.get(host);
      if (known === undefined) oldest.set(host, { connection, count: 1 });
      else known.count += 1;
    }
    let most: { connection: Connection; count: number } | undefined;
    for (const one of oldest.values()) if (one.count > (most?.count ?? 0)) most = one;
    return most?.connection;
  }

  #turnOut(connection: Connection, refusal: AdmissionRefusal, reason: string): void {
    this.remove(connection);
    this.#options.refusals.add(refusal, addressOf(connection.remoteAddr), idOf(connection), reason);
    cutOff(connection, reason);
  }
}
