/**
 * Compaction: when a snapshot of the state replaces the log entries before it.
 *
 * Decides only the moment, and whether others must take the whole snapshot. Does not make or write it.
 *
 * Drive it with due() in each tick, and with took() whenever this peer makes or installs a snapshot.
 */
import type { Journal } from "./journal.ts";

/** A journal this large is worth a snapshot, however few its entries, unless the snapshot itself is larger. */
const journalBytesMax = 16 * 1024 * 1024;

export class Compaction {
  readonly #logEntriesMax: number;
  #snapshotIndex: number;

  /** `snapshotIndex`: the last entry in the snapshot on disk; 0 without one. */
  constructor(start: { readonly snapshotIndex: number; readonly logEntriesMax: number }) {
    this.#snapshotIndex = start.snapshotIndex;
    this.#logEntriesMax = start.logEntriesMax;
  }

  /**
   * Whether to make a snapshot of the state now.
   *
   * Shape: `index` is the last entry in the state; `badIndex` the last entry that could not be applied (0 for none).
   *        `whole`: no entry before the snapshot may be sent to others any more.
   */
  due(now: {
    readonly index: number;
    readonly badIndex: number;
    readonly journal: Pick<Journal, "isSnapshotting" | "grownBytes" | "wholeBytes">;
  }): { readonly whole: boolean } | undefined {
    const { isSnapshotting, grownBytes, wholeBytes } = now.journal;
    const entries = now.index - this.#snapshotIndex;
    if (entries === 0 || isSnapshotting) return undefined;
    const isLarge = grownBytes >= Math.max(journalBytesMax, wholeBytes);
    // Others refuse an entry that cannot be applied, and would wait for it for ever. They take a snapshot.
    const whole = now.badIndex > this.#snapshotIndex;
    return entries >= this.#logEntriesMax || isLarge || whole ? { whole } : undefined;
  }

  /** A snapshot up to this entry was made, or came from the leader. */
  took(index: number): void {
    this.#snapshotIndex = index;
  }
}
