/**
 * CatchUp: whether this peer has applied everything that the cluster committed before it started.
 *
 * Decides when to ask the leader for that, with one read of the log at a time. A lost read is asked again. Does
 * not decide what waits for the answer: the worker must not remove containers of unknown tasks before it.
 *
 * Drive it with look() in each tick and whenever a leader is elected, and with answered() for each answer of Raft.
 */
import type { Mint } from "@gam/core";

export interface CatchUpParts {
  readonly mint: Pick<Mint, "id">;
  /** Starts a read under this id. Raft may answer before this returns. */
  readonly ask: (id: string) => void;
}

export class CatchUp {
  readonly #parts: CatchUpParts;
  /** The read that is under way. */
  #read: string | undefined;
  #isDone = false;

  constructor(parts: CatchUpParts) {
    this.#parts = parts;
  }

  /** Never becomes false again. */
  get isDone(): boolean {
    return this.#isDone;
  }

  look(hasLeader: boolean): void {
    if (this.#isDone || !hasLeader || this.#read !== undefined) return;
    this.#read = this.#parts.mint.id();
    this.#parts.ask(this.#read);
  }

  /** Returns: true once, when this answer makes it done. Ignores the answers to other reads. */
  answered(id: string, fresh: boolean): boolean {
    if (id !== this.#read) return false;
    this.#read = undefined;
    if (!fresh) return false;
    this.#isDone = true;
    return true;
  }
}
