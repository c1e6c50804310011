/**
 * Dialer: stays connected to whom it was told to.
 *
 * Decides when and where to try next. A host that answers "connection refused" is asked again every
 * half second, because the answer itself is news for the failure detector; a silent one at growing
 * distances up to two seconds, for ever; and where only others live now, four times a minute. Does not decide whether what answers is let in.
 */
import { randomInt } from "node:crypto";
import type { NodeId } from "@gam/core";

/** How one attempt ended. "other": somebody else lives at that address. */
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
  /** Attempts in a row that found somebody else. */
  others: number;
  /** Which of the addresses is next. */
  turn: number;
}

const firstMs = 100;
const lastMs = 2_000;
const refusedMs = 500;
/** Who left its address to another host comes back by its own doing, if at all. */
const othersMs = 15_000;
/** After half a minute of refusals nobody waits for the answer any more. */
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

  /** Something about the connection to that peer changed, or its addresses. */
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
    // It may have been forgotten, or given up and wanted anew, while we tried.
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

  /** Of two that lost each other, one is quicker, so that they seldom dial at the same moment. */
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
