/**
 * Outbox: which messages may leave now, and which wait for the disk.
 *
 * A promise (a vote, a request for votes, an acknowledgement) is sent only when all writes up to the end
 * of its step are durable. Otherwise a peer could answer, crash, lose its answer, and then answer
 * differently in the same term. A peer's promises to itself wait in the same way: its own vote and
 * its own copy of an entry count only when they are on disk.
 */
import type { NodeId } from "@gam/core";
import type { RaftFaults } from "./fault.ts";
import type { Letter, Message } from "./message.ts";

export class Outbox {
  readonly #faults: RaftFaults;
  #ready: Letter[] = [];
  /** Promised in this step. Which write covers them is known only at the end of the step. */
  #promised: Letter[] = [];
  #held: { readonly write: number; readonly letter: Letter }[] = [];
  #durable = 0;

  constructor(faults: RaftFaults) {
    this.#faults = faults;
  }

  send(to: NodeId, message: Message): void {
    this.#ready.push({ to, message });
  }

  promise(to: NodeId, message: Message): void {
    if (this.#rushes(message)) this.send(to, message);
    else this.#promised.push({ to, message });
  }

  /** Makes everything promised so far wait for the writes up to this one. */
  seal(write: number): void {
    for (const letter of this.#promised) {
      if (write <= this.#durable) this.#ready.push(letter);
      else this.#held.push({ write, letter });
    }
    this.#promised = [];
  }

  persisted(write: number): void {
    this.#durable = Math.max(this.#durable, write);
    const waiting = this.#held.findIndex((held) => held.write > this.#durable);
    const released = this.#held.splice(0, waiting < 0 ? this.#held.length : waiting);
    for (const { letter } of released) this.#ready.push(letter);
  }

  take(): Letter[] {
    const letters = this.#ready;
    this.#ready = [];
    return letters;
  }

  #rushes({ kind }: Message): boolean {
    if (kind === "appendReply") return this.#faults.has("acknowledgeBeforePersist");
    return (kind === "vote" || kind === "voteReply") && this.#faults.has("voteBeforePersist");
  }
}
