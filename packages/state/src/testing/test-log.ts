/** A log of one peer: it commits and applies what is written at once. */
import type { ProposalId } from "@gam/core";
import type { Change, Outcome } from "../log/change.ts";
import type { Event } from "../log/view.ts";
import { Store } from "../store/store.ts";

export class TestLog {
  readonly store = new Store();
  /** Clock of the proposals; starts at 2026-01-01. */
  nowMs = Date.UTC(2026, 0, 1);
  #proposals = 0;

  write(...changes: readonly Change[]): { outcome: Outcome; events: Event[] } {
    this.#proposals += 1;
    const id = `p${String(this.#proposals).padStart(24, "0")}` as ProposalId;
    return this.store.apply(this.store.index + 1, { id, atMs: this.nowMs, changes });
  }
}
