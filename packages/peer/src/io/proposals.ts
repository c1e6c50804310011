/**
 * Proposals: what this peer wants in the log, from the asking until it stands there.
 *
 * Decides to whom a proposal goes and when it is tried again. It is tried with the same id, however
 * often, so it is applied once. Does not decide what it means: settle() is called when it was applied
 * here, and only then does the asker hear of it, so whoever wrote reads what was written.
 *
 * Drive it with add(), tick(), lead() when the leader changes, and settle() for each applied entry.
 */
import type { ProposalId } from "@gam/core";
import type { Outcome, Proposal } from "@gam/state";

/** An asker waits 10 s: five elections. */
const patienceTicks = 200;
/** A proposal that vanished with a connection is sent again after 1 s. */
const retryTicks = 20;
/** After "not now": the leader is busy or has just changed. */
const declinedTicks = 2;
/** More than this and the peer refuses instead of remembering. */
const waitingMax = 4096;

export type ProposalOutcome =
  | Outcome
  /** Not known to be in the log. It may still come to stand there. */
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

  /** `send` hands a proposal to whoever leads; false when it cannot go anywhere now. */
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

  /** Another leader: whatever the last one was given may be lost. */
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

  /** This peer will not hear what becomes of any of them. */
  giveUp(message: string): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { settle } of waiting) settle({ kind: "lost", message });
  }

  /** A snapshot took the place of entries, so what they settled has to be asked for. */
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
