/**
 * Gatekeeper: whether a leader puts what another peer asks for into the log.
 *
 * Decides by the table of authority.ts, by whether it was asked for before, and by how much a worker asks for.
 * Does not decide about shapes, which are checked where bytes are read and once more where they are written.
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
  /** To be put into the log. */
  | { readonly kind: "taken" }
  /** It stands there already. */
  | { readonly kind: "known" }
  /** It may be asked for again, later. */
  | { readonly kind: "later"; readonly why: string }
  /** `unverified`: an address that may be the asker's own, and was not found to be. */
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
    // Applied meanwhile: a node that gave up its role by it has no right to it any more.
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
