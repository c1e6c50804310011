/**
 * ReadRounds: which reads a leader may answer.
 *
 * A read may be answered from any state that contains everything committed before the read was asked.
 * The leader notes its commit index. Then a quorum must answer a heartbeat round that began later;
 * otherwise another leader may have committed more in the meantime. Reads that come during a round
 * share the next one.
 *
 * Source: Ongaro, "Consensus: Bridging Theory and Practice", section 6.4.
 */
import type { NodeId } from "@gam/core";

interface Read {
  readonly from: NodeId;
  readonly id: string;
  /** `undefined` until an entry of the leader's own term is committed. */
  index: number | undefined;
  round: number;
}

export class ReadRounds {
  readonly #readsMax: number;
  readonly #reads = new Map<string, Read>();

  constructor(readsMax: number) {
    this.#readsMax = readsMax;
  }

  get waiting(): boolean {
    return this.#reads.size > 0;
  }

  /** Drops a read that is waiting already, or one too many: the peer asks again. */
  add(from: NodeId, id: string): void {
    const key = `${from} ${id}`;
    if (this.#reads.has(key) || this.#reads.size >= this.#readsMax) return;
    this.#reads.set(key, { from, id, index: undefined, round: 0 });
  }

  /** Gives each read without an index the commit index and the next round to begin. */
  place(commit: number, nextRound: number): void {
    for (const read of this.#reads.values()) {
      if (read.index !== undefined) continue;
      read.index = commit;
      read.round = nextRound;
    }
  }

  /** Whether a read waits for a round that has not begun. */
  wants(round: number): boolean {
    for (const read of this.#reads.values()) {
      if (read.index !== undefined && read.round > round) return true;
    }
    return false;
  }

  /** Removes and returns the reads whose round a quorum has answered. */
  confirmed(round: number): { from: NodeId; id: string; index: number }[] {
    const ready: { from: NodeId; id: string; index: number }[] = [];
    for (const [key, { from, id, index, round: needed }] of this.#reads) {
      if (index === undefined || needed > round) continue;
      this.#reads.delete(key);
      ready.push({ from, id, index });
    }
    return ready;
  }
}
