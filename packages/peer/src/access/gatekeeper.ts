/**
 * Gatekeeper: whether a leader puts another peer's proposal into the log.
 *
 * Decides by the table of authority.ts, by whether the proposal was applied before, and by how much a worker
 * has asked for. Does not check shapes: readers of bytes do that, and the writer of the entry does it again.
 */
import type { NodeId } from "@gam/core";
import type { Proposal, Store } from "@gam/state";
import {
  type Asker,
  refusalOfChanges,
  roleOf,
  type Sender,
  unverifiedAddress,
} from "./authority.ts";
import { Rations } from "./rations.ts";

export type ProposalDecision =
  /** Put it into the log. */
  | { readonly kind: "taken" }
  /** It is in the log already. */
  | { readonly kind: "known" }
  /** The asker may try again later. */
  | { readonly kind: "later"; readonly why: string }
  /** `unverified`: addresses that the asker claims and that this peer has not found it at. */
  | { readonly kind: "refused"; readonly why: string; readonly unverified: readonly string[] };

export class Gatekeeper {
  readonly #store: Store;
  readonly #rations = new Rations();

  constructor(store: Store) {
    this.#store = store;
  }

  tick(): void {
    this.#rations.tick();
  }

  judge(asker: Asker & { readonly sender: Sender }, { id, changes }: Proposal): ProposalDecision {
    // Check this first: the proposal may have taken away the asker's own right to make it, as when a node
    // leaves.
    if (this.#store.outcomeOf(id) !== undefined) return { kind: "known" };
    const why = refusalOfChanges(this.#store, asker, changes);
    if (why !== undefined) {
      const unverified = changes.flatMap((change) =>
        change.kind === "describeNode" ? (unverifiedAddress(change, asker.sender) ?? []) : [],
      );
      return { kind: "refused", why, unverified };
    }
    if (this.#isRationed(asker)) {
      return { kind: "later", why: "more writes than a worker may ask for" };
    }
    return { kind: "taken" };
  }

  #isRationed(asker: Asker & { readonly id: NodeId }): boolean {
    return roleOf(this.#store, asker) !== "manager" && !this.#rations.allows(asker.id);
  }
}
