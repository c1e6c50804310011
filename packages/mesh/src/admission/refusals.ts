/**
 * Refusals: the peers that this one refused, and why.
 *
 * Decides how much is logged. Every refusal is counted. Equal refusals of one peer are logged once in ten
 * seconds, and all refusals together at most a hundred times, so that a scan cannot fill a disk.
 */
import { hostPart } from "../trust/address.ts";
import type { Logger } from "../trust/door.ts";

/** Why a peer was refused; the names of the counters. */
export type AdmissionRefusal =
  /** The connection ended before a key was proved: a port scan, random bytes. */
  | "handshake"
  /** Not a member of this cluster. */
  | "stranger"
  /** Was a member and was removed. */
  | "removed"
  /** A member whose certificate has expired. */
  | "expired"
  /** Wrong or rotated token, or refused by the cluster. */
  | "join"
  /** A member asked for what its role may not do. */
  | "authority"
  /** More than its share of attempts. */
  | "flood"
  /** Bytes that are not in any of our protocols. */
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
    // Each different request that a member's role forbids gets its own line.
    const what = refusal === "authority" ? reason : "";
    const key = `${refusal} ${hostPart(address)} ${peer ?? ""} ${what}`;
    const nowMs = this.#nowMs();
    const lastMs = this.#loggedMs.get(key);
    if (lastMs !== undefined && nowMs - lastMs < quietMs) return;
    if (nowMs - this.#windowMs >= quietMs) {
      this.#windowMs = nowMs;
      this.#lines = 0;
    }
    // A bound for all together: strangers can make any number of keys, and some have many addresses.
    this.#lines += 1;
    if (this.#lines > linesMax) return;
    this.#loggedMs.delete(key); // Moves it to the end: the oldest is dropped first when the map is full.
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
