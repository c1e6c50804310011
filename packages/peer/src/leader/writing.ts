/**
 * Writing: proposals of this peer and of others, until they are in the log or refused.
 *
 * Decides which proposals this peer forwards, which ones it puts into the log when it leads, and how it answers
 * a peer whose proposal cannot be put there. Does not decide what the changes do (store) nor who may ask for
 * them (gatekeeper.ts).
 *
 * If this peer or another member cannot read a peer's proposal, it is refused with the reason. The sender stays
 * connected: it may simply run a newer version.
 */
import type { Configuration } from "@gam/consensus";
import type { NodeId } from "@gam/core";
import {
  dialectOfProposal,
  type Envelope,
  type Proposal,
  type Refusal,
  refusalOfDialect,
  type Store,
} from "@gam/state";
import { type Asker, refusalOfChanges, type Sender } from "../access/authority.ts";
import { Gatekeeper } from "../access/gatekeeper.ts";
import type { Tell } from "../access/troubles.ts";
import type { Vetting } from "../access/vetting.ts";
import type { PeerMessage } from "../io/message.ts";
import { type ProposalOutcome, Proposals } from "../io/proposals.ts";
import { type Leading, losers } from "./leading.ts";

export interface WritingParts {
  readonly self: NodeId;
  readonly store: Store;
  readonly vetting: Vetting;
  readonly leader: () => NodeId | undefined;
  /** Undefined unless this peer leads and has applied all that was committed before. */
  readonly leading: () => Leading | undefined;
  readonly configuration: () => Configuration;
  /** Puts an entry into the log. False when this peer does not lead, or cannot now. */
  readonly log: (data: Uint8Array) => boolean;
  readonly send: (to: NodeId, body: PeerMessage) => void;
  /** Reports a member that asked for something that it may not do. */
  readonly refuse: (peer: NodeId, reason: string) => void;
  readonly verify: (peer: NodeId, address: string) => void;
  readonly tell: Tell;
}

type OtherAsker = Asker & { readonly sender: Sender };

export class Writing {
  readonly #parts: WritingParts;
  readonly #gatekeeper: Gatekeeper;
  readonly proposals = new Proposals((proposal) => this.#forward(proposal));

  constructor(parts: WritingParts) {
    this.#parts = parts;
    this.#gatekeeper = new Gatekeeper(parts.store);
  }

  tick(): void {
    this.proposals.tick();
    this.#gatekeeper.tick();
  }

  /** Proposes changes of this peer itself. `settle` is called once, perhaps before this returns. */
  propose({ id, atMs, changes }: Proposal, settle: (answer: ProposalOutcome) => void): void {
    const { store, vetting, self } = this.#parts;
    const refuse = (refusal: Refusal): void => settle({ kind: "refused", ...refusal });
    const written = vetting.tryWrite({ id, atMs, changes });
    if ("problem" in written) return refuse({ code: "BAD_REQUEST", message: written.problem });
    const { proposal } = written;
    const unread = refusalOfDialect(store, dialectOfProposal(proposal));
    if (unread !== undefined) return refuse(unread);
    const why = refusalOfChanges(store, { id: self, sender: undefined }, proposal.changes);
    if (why !== undefined) return refuse({ code: "REFUSED", message: `Cannot write: ${why}` });
    this.proposals.add(proposal, settle);
  }

  /** Handles another peer's request to put a proposal into the log. */
  hear(asker: OtherAsker, asked: Envelope): void {
    const answer = this.#judge(asker, asked);
    if (answer === undefined) return;
    const { id } = asked;
    const { send } = this.#parts;
    if (answer === "later") send(asker.id, { kind: "declined", id });
    else send(asker.id, { kind: "refused", id, ...answer });
  }

  /**
   * Returns: the answer to send. Undefined: none, since the asker sees the outcome in its own copy of the log.
   */
  #judge(asker: OtherAsker, asked: Envelope): "later" | Refusal | undefined {
    const { store, vetting, leading, refuse, verify, tell } = this.#parts;
    // Until it leads, this peer may not have applied everything that was committed, so it cannot judge.
    if (leading() === undefined) return "later";
    const read = vetting.tryRead(asked);
    if ("problem" in read) {
      const text = "Refused a proposal that this gam cannot read";
      tell(`proposal ${asker.id}`, text, { peer: asker.id, reason: read.problem });
      return { code: "BAD_REQUEST", message: `The leader cannot take this: ${read.problem}` };
    }
    const { proposal } = read;
    if (
      vetting.isTooNew(proposal) &&
      refusalOfDialect(store, dialectOfProposal(proposal)) === undefined
    )
      return "later"; // Another leader may be able to read it.
    const decision = this.#gatekeeper.judge(asker, proposal);
    switch (decision.kind) {
      case "known":
        return undefined;
      case "taken": {
        const unread = refusalOfDialect(store, dialectOfProposal(proposal));
        if (unread !== undefined) return unread;
        return this.#append(proposal, asker.id) ? undefined : "later";
      }
      case "later":
        refuse(asker.id, decision.why);
        return "later";
      case "refused":
        refuse(asker.id, decision.why);
        for (const address of decision.unverified) verify(asker.id, address);
        return undefined;
    }
  }

  #forward(proposal: Proposal): boolean {
    const { leader, self, send } = this.#parts;
    const to = leader();
    if (to === undefined) return false;
    if (to === self) return this.#append(proposal, self);
    send(to, { kind: "propose", proposal });
    return true;
  }

  /** Puts a proposal into the log. Returns: false if it must be tried again later. */
  #append(proposal: Proposal, from: NodeId): boolean {
    const { vetting, store, configuration, log, tell } = this.#parts;
    const leading = this.#parts.leading();
    for (const loser of losers(proposal.changes, store)) {
      if (leading?.mustStay(loser, configuration(), proposal.id) !== false) return false;
    }
    const written = vetting.tryWrite(proposal);
    if ("data" in written) {
      const isLogged = log(written.data);
      if (!isLogged) leading?.settle(proposal.id, false);
      return isLogged;
    }
    leading?.settle(proposal.id, false);
    const text = "Refused a proposal that nobody can apply";
    tell(`proposal ${from}`, text, { peer: from, reason: written.problem });
    return true; // Nobody may try it again.
  }
}
