/**
 * Dialer: keeps this peer connected to the peers that setPeers() names.
 *
 * Decides when and where to try next. A host that answers "connection refused" is dialled every half
 * second, because the failure detector needs the answer itself. A silent host is dialled after growing
 * pauses of up to two seconds, without end. An address where only other peers answer is dialled four times
 * a minute. Does not decide whether the peer that answers is let in.
 */
import { randomInt } from "node:crypto";
import type { NodeId } from "@gam/core";

/** How one attempt ended. "other": another peer answered at that address. */
export type Attempt = "linked" | "refused" | "failed" | "other";

export interface DialerOptions {
  readonly self: NodeId;
  /** Whether a connection is wanted: there is none, or it is silent. */
  readonly isNeeded: (nodeId: NodeId) => boolean;
  /** `host:port`, best first. */
  readonly addressesOf: (nodeId: NodeId) => readonly string[];
  /** Never rejects. */
  readonly dial: (nodeId: NodeId, address: string) => Promise<Attempt>;
  readonly onRefused: (nodeId: NodeId) => void;
}

interface Target {
  timer: NodeJS.Timeout | undefined;
  dialling: boolean;
  failures: number;
  /** Attempts in a row that were answered by "connection refused". */
  refusals: number;
  /** Attempts in a row that found another peer. */
  others: number;
  /** Which of the addresses is next. */
  turn: number;
}

const firstMs = 100;
const lastMs = 2_000;
const refusedMs = 500;
/** Seldom: a peer whose address another host has now will dial this one itself. */
const othersMs = 15_000;
/** After half a minute of refusals the failure detector needs no fast answers any more. */
const refusalsFast = 60;

export class Dialer {
  readonly #options: DialerOptions;
  readonly #targets = new Map<NodeId, Target>();
  #stopped = false;

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  setPeers(wanted: readonly NodeId[]): void {
    const keep = new Set(wanted);
    for (const [nodeId, target] of this.#targets) {
      if (keep.has(nodeId)) continue;
      clearTimeout(target.timer);
      this.#targets.delete(nodeId);
    }
    for (const nodeId of keep) {
      if (this.#targets.has(nodeId)) continue;
      this.#targets.set(nodeId, newTarget());
      this.look(nodeId);
    }
  }

  /** Call it when the connection to that peer or its addresses changed. */
  look(nodeId: NodeId): void {
    const target = this.#targets.get(nodeId);
    if (target === undefined || target.dialling || this.#stopped) return;
    if (!this.#options.isNeeded(nodeId)) {
      clearTimeout(target.timer);
      this.#targets.set(nodeId, newTarget());
      return;
    }
    if (target.timer === undefined) this.#wait(nodeId, target, this.#firstDelayMs(nodeId));
  }

  isRefused(nodeId: NodeId): boolean {
    return (this.#targets.get(nodeId)?.refusals ?? 0) > 0;
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#targets.values()) clearTimeout(timer);
    this.#targets.clear();
  }

  #wait(nodeId: NodeId, target: Target, delayMs: number): void {
    target.timer = setTimeout(() => {
      target.timer = undefined;
      void this.#attempt(nodeId, target);
    }, delayMs);
    target.timer.unref();
  }

  async #attempt(nodeId: NodeId, target: Target): Promise<void> {
    const addresses = this.#options.addressesOf(nodeId);
    const address = addresses[target.turn % Math.max(1, addresses.length)];
    let attempt: Attempt = "failed";
    if (address !== undefined) {
      target.dialling = true;
      attempt = await this.#options.dial(nodeId, address);
      target.dialling = false;
    }
    // The target may have been removed, or removed and added again, during the attempt.
    if (this.#stopped || this.#targets.get(nodeId) !== target) return;
    if (attempt !== "linked") target.turn += 1;
    target.failures = attempt === "linked" ? 0 : target.failures + 1;
    target.refusals = attempt === "refused" ? target.refusals + 1 : 0;
    target.others = attempt === "other" ? target.others + 1 : 0;
    if (!this.#options.isNeeded(nodeId)) return;
    if (attempt === "refused") this.#options.onRefused(nodeId);
    const moved = target.others > 0 && target.others >= addresses.length;
    this.#wait(nodeId, target, moved ? othersMs : nextDelayMs(target));
  }

  /** One of two peers that lost each other waits less, so that they seldom dial at the same moment. */
  #firstDelayMs(nodeId: NodeId): number {
    return this.#options.self < nodeId ? randomInt(20) : firstMs + randomInt(firstMs);
  }
}

function newTarget(): Target {
  return { timer: undefined, dialling: false, failures: 0, refusals: 0, others: 0, turn: 0 };
}

function nextDelayMs({ failures, refusals }: Target): number {
  if (refusals > 0 && refusals <= refusalsFast) return refusedMs - 50 + randomInt(100);
  const fullMs = Math.min(lastMs, firstMs * 2 ** Math.min(failures, 10));
  return fullMs / 2 + randomInt(fullMs / 2);
}
