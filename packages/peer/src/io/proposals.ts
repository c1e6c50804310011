/**
 * Proposals: this peer's own proposals, until each is in the log.
 *
 * Decides where a proposal is sent and when it is retried. Retries keep the same id, so the proposal is applied
 * once. Does not decide what it means. The caller settles a proposal when this peer has applied it, and only
 * then does the asker get its answer: a client reads what it wrote.
 *
 * Drive it with add(), tick(), lead() when the leader changes, and settle() for each applied entry.
 */
import type { ProposalId } from "@gam/core";
import type { Outcome, Proposal } from "@gam/state";

/** Give up after 10 s: five elections. */
const patienceTicks = 200;
/** A proposal that was lost with its connection is sent again after 1 s. */
const retryTicks = 20;
/** After "declined": the leader is busy or has just changed. */
const declinedTicks = 2;
/** Maximum of waiting proposals; the peer refuses more. */
const waitingMax = 4096;

export type ProposalOutcome =
  | Outcome
  /** Not known to be in the log. It may still get there. */
  | { readonly kind: "lost"; readonly message: string };

interface Waiting {
  readonly proposal: Proposal;
  readonly settle: (answer: ProposalOutcome) => void;
  readonly untilTick: number;
  sendAtTick: number;
}

export class Proposals {
  readonly #send: (proposal: Proposal) => boolean;
  readonly #waiting = new Map<ProposalId, Waiting>();
  #nowTick = 0;

  /** `send` passes a proposal to the leader; returns false when there is no leader that can take it now. */
  constructor(send: (proposal: Proposal) => boolean) {
    this.#send = send;
  }

  add(proposal: Proposal, settle: (answer: ProposalOutcome) => void): void {
    if (this.#waiting.size >= waitingMax) {
      settle({ kind: "lost", message: `${waitingMax} writes are waiting at this peer already` });
      return;
    }
    const waiting: Waiting = {
      proposal,
      settle,
      untilTick: this.#nowTick + patienceTicks,
      sendAtTick: 0,
    };
    this.#waiting.set(proposal.id, waiting);
    this.#try(waiting);
  }

  tick(): void {
    this.#nowTick += 1;
    for (const [id, waiting] of this.#waiting) {
      if (this.#nowTick >= waiting.untilTick) {
        this.#waiting.delete(id);
        waiting.settle({ kind: "lost", message: "no leader took the write within 10 s" });
      } else if (this.#nowTick >= waiting.sendAtTick) {
        this.#try(waiting);
      }
    }
  }

  /** The leader changed: proposals sent to the last one may be lost. */
  lead(): void {
    for (const waiting of this.#waiting.values()) this.#try(waiting);
  }

  decline(id: ProposalId): void {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) waiting.sendAtTick = this.#nowTick + declinedTicks;
  }

  settle(id: ProposalId, outcome: Outcome): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    waiting.settle(outcome);
  }

  /** Ends all of them as lost: this peer will not learn their outcomes. */
  giveUp(message: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { settle } of waiting) settle({ kind: "lost", message });
  }

  /** A snapshot replaced entries, so their outcomes are looked up. */
  settleAll(outcomeOf: (id: ProposalId) => Outcome | undefined): void {
    for (const id of [...this.#waiting.keys()]) {
      const outcome = outcomeOf(id);
      if (outcome !== undefined) this.settle(id, outcome);
    }
  }

  #try(waiting: Waiting): void {
    const gone = this.#send(waiting.proposal);
    waiting.sendAtTick = this.#nowTick + (gone ? retryTicks : declinedTicks);
  }
}
