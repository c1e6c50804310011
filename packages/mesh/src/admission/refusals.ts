/**
 * Refusals: whom this peer turned away, and why.
 *
 * Decides how loud that is: everything is counted, and of equal cases from one peer one line in ten
 * seconds is logged, and no more than a hundred in all, so that a scan cannot fill a disk.
 */
import { hostPart } from "../trust/address.ts";
import type { Logger } from "../trust/door.ts";

/** Why somebody was turned away; the names of the counters. */
export type AdmissionRefusal =
  /** Ended before it proved a key: a port scan, random bytes. */
  | "handshake"
  /** No member of this cluster. */
  | "stranger"
  /** Was a member and was removed. */
  | "removed"
  /** A member whose certificate has run out. */
  | "expired"
  /** Wrong or rotated token, or refused by the cluster. */
  | "join"
  /** A member asked for what its role may not do. */
  | "authority"
  /** More than its share of attempts. */
  | "flood"
  /** Bytes that are nothing we speak. */
  | "rubbish";

const quietMs = 10_000;
/** In ten seconds, of all cases together. */
const linesMax = 100;
const remembered = 1_000;

export class Refusals {
  readonly #log: Logger;
  readonly #nowMs: () => number;
  readonly #counts = new Map<AdmissionRefusal, number>();
  readonly #loggedMs = new Map<string, number>();
  #windowMs = Number.NEGATIVE_INFINITY;
  #lines = 0;

  constructor(log: Logger, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** Shape: `address` is `host:port`; `peer` is the node or peer id, where one was proved. */
  add(refusal: AdmissionRefusal, address: string, peer: string | undefined, reason: string): void {
    this.#counts.set(refusal, this.count(refusal) + 1);
    // Of a member that tries one thing after the other each is told.
    const what = refusal === "authority" ? reason : "";
    const key = `${refusal} ${hostPart(address)} ${peer ?? ""} ${what}`;
    const nowMs = this.#nowMs();
    const lastMs = this.#loggedMs.get(key);
    if (lastMs !== undefined && nowMs - lastMs < quietMs) return;
    if (nowMs - this.#windowMs >= quietMs) {
      this.#windowMs = nowMs;
      this.#lines = 0;
    }
    // Strangers make as many keys as they like, and some have as many addresses.
    this.#lines += 1;
    if (this.#lines > linesMax) return;
    this.#loggedMs.delete(key); // To the end: the oldest goes first when it is full.
    this.#loggedMs.set(key, nowMs);
    const oldest = this.#loggedMs.keys().next();
    if (this.#loggedMs.size > remembered && !oldest.done) this.#loggedMs.delete(oldest.value);
    this.#log.warn({ refusal, address, peer, reason }, "Peer refused");
  }

  count(refusal: AdmissionRefusal): number {
    return this.#counts.get(refusal) ?? 0;
  }

  counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
