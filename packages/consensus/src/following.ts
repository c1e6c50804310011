/**
 * Following: what a peer does with what its leader sends it.
 *
 * Decides what enters the log and what the peer acknowledges. Does not decide whether the sender leads
 * (raft.ts has checked that) and never stands for election.
 *
 * Ignores what the caller does not accept, without an answer. No honest leader sends it, and no peer could
 * apply a log that holds it.
 */
import type { NodeId } from "@gam/core";
import type { Snapshot } from "./log/durable.ts";
import type { Log } from "./log/log.ts";
import {
  type Append,
  type Commit,
  followOn,
  type Heartbeat,
  type SnapshotChunk,
} from "./log/message.ts";
import type { Outbox } from "./log/outbox.ts";
import type { Acceptance } from "./log/raft-config.ts";
import { SnapshotInbox } from "./snapshot-inbox.ts";

export class Following {
  readonly #log: Log;
  readonly #outbox: Outbox;
  readonly #inbox = new SnapshotInbox();

  readonly #accepts: Acceptance;

  constructor(log: Log, outbox: Outbox, accepts: Acceptance) {
    this.#log = log;
    this.#outbox = outbox;
    this.#accepts = accepts;
  }

  /** Returns: false when it holds an entry that the caller does not accept. */
  append(from: NodeId, message: Append): boolean {
    const { term, previousIndex, previousTerm, entries } = message;
    if (previousIndex < this.#log.commit) {
      // Committed entries agree already, and the previous one may be compacted: acknowledge the commit.
      this.#acknowledge(from, term, this.#log.commit);
      return true;
    }
    if (!followOn(message)) return true;
    // Entries already in the log were checked when they arrived.
    const fresh = entries.filter((one) => this.#log.term(one.index) !== one.term);
    if (fresh.some((one) => one.kind === "data" && !this.#accepts.entry(one.data))) return false;
    const match = this.#log.accept({ index: previousIndex, term: previousTerm }, entries);
    if (match === undefined) {
      const hint = this.#log.lastAgreeable(previousIndex, previousTerm);
      this.#outbox.send(from, {
        kind: "appendConflict",
        term,
        previousIndex,
        hintIndex: hint.index,
        hintTerm: hint.term,
      });
      return true;
    }
    this.#inbox.clear();
    this.#log.commitTo(Math.min(message.commit, match));
    this.#acknowledge(from, term, match);
    return true;
  }

  learnCommit({ index, indexTerm }: Commit | Heartbeat): void {
    // Logs that have the same entry have the same entries before it.
    if (index > this.#log.commit && this.#log.term(index) === indexTerm) this.#log.commitTo(index);
  }

  /**
   * Takes one piece of a snapshot. The last piece replaces the log by the snapshot.
   *
   * Returns: the whole snapshot after its last piece; "bad" when the caller does not accept it.
   */
  takeChunk(from: NodeId, chunk: SnapshotChunk): Snapshot | "bad" | undefined {
    const { index, indexTerm, term } = chunk;
    if (indexTerm > term) return undefined; // No leader has entries of a later term than its own.
    if (index <= this.#log.commit || this.#log.term(index) === indexTerm) {
      this.#log.commitTo(Math.max(index, this.#log.commit));
      this.#acknowledge(from, term, this.#log.commit);
      return undefined;
    }
    const taken = this.#inbox.take(from, chunk);
    if (typeof taken === "number") {
      this.#outbox.send(from, { kind: "snapshotReply", term, index, offset: taken });
      return undefined;
    }
    if (!this.#accepts.snapshot(taken)) return "bad";
    this.#log.install(taken);
    this.#acknowledge(from, term, index);
    return taken;
  }

  /** Says that the log agrees with the leader's up to `match`. Sent when that is on disk. */
  #acknowledge(to: NodeId, term: number, match: number): void {
    this.#outbox.promise(to, { kind: "appendReply", term, match });
  }
}
