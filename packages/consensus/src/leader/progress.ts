/**
 * Progress: what a leader knows about the log of one peer, and what it may send now.
 *
 *   probe ------- any acknowledgement -------> replicate
 *     ^ <------------ conflict ------------------'
 *     '--- what it lacks is compacted --> snapshot ---'  (back once it is installed)
 *
 * In "probe" the leader sends one append at a time, to find the index where the logs agree. In "replicate"
 * it sends appends without waiting, up to a window. In "snapshot" it sends chunks one by one.
 */
import type { Entry, Snapshot } from "../log/durable.ts";
import type { RaftLimits } from "../log/limits.ts";

type State =
  | { readonly kind: "probe"; sentTick: number | undefined }
  | { readonly kind: "replicate"; inflight: { readonly last: number; readonly bytes: number }[] }
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot; offset: number; sentTick: number };

export class Progress {
  /** The logs agree up to here, on the peer's disk. */
  match = 0;
  /** The first entry to send next. */
  next: number;
  /** When the peer last answered in this term. */
  heardTick: number;
  /** The last heartbeat round that the peer answered. */
  round = 0;
  /** The last commit index that the leader sent to it. */
  announced = 0;
  /** Whether the peer acknowledged entries since it last answered a heartbeat. */
  #moved = false;
  #state: State = { kind: "probe", sentTick: undefined };

  constructor(next: number, nowTick: number) {
    this.next = next;
    this.heardTick = nowTick;
  }

  get state(): State["kind"] {
    return this.#state.kind;
  }

  maySend(limits: RaftLimits): boolean {
    const state = this.#state;
    if (state.kind === "probe") return state.sentTick === undefined;
    if (state.kind === "snapshot") return false;
    const bytes = state.inflight.reduce((sum, one) => sum + one.bytes, 0);
    return state.inflight.length < limits.inflightAppendsMax && bytes < limits.inflightBytesMax;
  }

  sent(entries: readonly Entry[], nowTick: number): void {
    const state = this.#state;
    if (state.kind === "probe") state.sentTick = nowTick;
    const last = entries.at(-1);
    if (state.kind !== "replicate" || last === undefined) return;
    this.next = last.index + 1;
    const bytes = entries.reduce((sum, entry) => sum + entry.data.length, 0);
    state.inflight.push({ last: last.index, bytes });
  }

  /** The peer has everything up to `match`. `reachable`: the leader's log still has that entry's term. */
  acknowledge(match: number, reachable: boolean): void {
    this.#moved = true;
    this.match = Math.max(this.match, match);
    const state = this.#state;
    if (state.kind === "replicate") {
      state.inflight = state.inflight.filter((one) => one.last > this.match);
    } else if (state.kind === "snapshot" && !reachable) {
      // The log was compacted beyond the snapshot during its transfer: the peer needs a newer one.
      if (this.match >= state.snapshot.index) this.startOver();
    } else {
      this.#state = { kind: "replicate", inflight: [] };
      this.next = this.match + 1;
    }
    this.next = Math.max(this.next, this.match + 1);
  }

  /** The logs do not agree at `index`, and cannot before `agreeable`. False for old news. */
  conflict(index: number, agreeable: number): boolean {
    const state = this.#state;
    if (state.kind === "snapshot" || index <= this.match) return false;
    if (state.kind === "probe" && index !== this.next - 1) return false;
    this.next = Math.max(Math.min(index, agreeable + 1), this.match + 1);
    this.#state = { kind: "probe", sentTick: undefined };
    return true;
  }

  /** Goes back to the last acknowledged entry. */
  startOver(): void {
    this.next = this.match + 1;
    this.#state = { kind: "probe", sentTick: undefined };
  }

  /**
   * The peer answered a heartbeat. Says what to do if it still lacks entries, since messages may be lost.
   * The leader resends nothing to a peer that does not answer.
   *
   * Returns: "ask" whether the logs agree just before `next`; "chunk": send it again.
   */
  nudge(nowTick: number, patienceTicks: number): "ask" | "chunk" | "wait" {
    const state = this.#state;
    const moved = this.#moved;
    this.#moved = false;
    switch (state.kind) {
      case "probe":
        if (nowTick - (state.sentTick ?? nowTick) >= patienceTicks) state.sentTick = undefined;
        return "wait";
      case "replicate":
        return moved || state.inflight.length === 0 ? "wait" : "ask";
      case "snapshot":
        return nowTick - state.sentTick >= patienceTicks ? "chunk" : "wait";
    }
  }

  beginSnapshot(snapshot: Snapshot): void {
    this.#state = { kind: "snapshot", snapshot, offset: 0, sentTick: 0 };
  }

  /** The peer has the first `offset` bytes. False for old news. */
  chunkArrived(index: number, offset: number): boolean {
    const state = this.#state;
    if (state.kind !== "snapshot" || state.snapshot.index !== index) return false;
    if (offset === state.offset || offset > state.snapshot.data.length) return false;
    state.offset = offset;
    return true;
  }

  /** The chunk to send now. */
  chunk(nowTick: number): { readonly snapshot: Snapshot; readonly offset: number } | undefined {
    const state = this.#state;
    if (state.kind !== "snapshot") return undefined;
    state.sentTick = nowTick;
    return { snapshot: state.snapshot, offset: state.offset };
  }
}
