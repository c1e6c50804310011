/**
 * Log: the entries of one peer in memory, and how far they are committed and written.
 *
 *   snapshot ... base | entries: ... commit ... unwritten ... last
 *
 * Decides whether an append fits, what a conflict is, which configuration holds. Does not decide what
 * is committed (leadership.ts, or the leader's message). Writes nothing: takeUnwritten() returns what
 * has to be persisted next.
 *
 * A configuration holds as soon as its entry is in the log, and is undone when its entry is removed.
 */
import { assert, type NodeId } from "@gam/core";
import { type Configuration, isVoter, nobody, readConfiguration } from "./configuration.ts";
import type { Entry, Restored, Snapshot } from "./durable.ts";

interface Placed {
  readonly index: number;
  readonly configuration: Configuration;
}

export class Log {
  #snapshot: Snapshot | undefined;
  /** The entry before the first that is kept. At most the snapshot's index. */
  #base: { index: number; term: number };
  #entries: Entry[];
  /** Oldest first. Never empty: the first is the one that holds at the base. */
  #configurations: Placed[];
  #commit: number;
  #handed: number;
  #unwritten: number;
  #uncommittedBytes = 0;

  constructor({ hardState, snapshot, entries }: Restored) {
    const base = { index: snapshot?.index ?? 0, term: snapshot?.term ?? 0 };
    this.#snapshot = snapshot;
    this.#base = base;
    this.#entries = [];
    this.#configurations = [
      { index: base.index, configuration: snapshot?.configuration ?? nobody },
    ];
    this.#commit = base.index;
    this.#handed = base.index;
    this.append(entries);
    this.#unwritten = this.lastIndex + 1;
    this.commitTo(Math.min(Math.max(hardState.commit, base.index), this.lastIndex));
  }

  get lastIndex(): number {
    return this.#base.index + this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#base.term;
  }

  get commit(): number {
    return this.#commit;
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  get configuration(): Configuration {
    return this.#placed.configuration;
  }

  get configurationIndex(): number {
    return this.#placed.index;
  }

  /**
   * Whether the peer may stand for election: it votes in the last committed configuration, or in a
   * later one. A voter whose removal is in its log but not committed may be the only peer whose
   * log is long enough to lead. (Ongaro, section 4.2.2.)
   */
  mayStand(id: NodeId): boolean {
    const { index } = this.#placedAt(this.#commit);
    return this.#configurations.some((one) => one.index >= index && isVoter(one.configuration, id));
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  /** `undefined` for an entry that is compacted or not there yet. */
  term(index: number): number | undefined {
    if (index === this.#base.index) return this.#base.term;
    return this.#at(index)?.term;
  }

  /** Whether a log that ends there is at least as complete as this one, by Raft's voting rule. */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    if (lastTerm !== this.lastTerm) return lastTerm > this.lastTerm;
    return lastIndex >= this.lastIndex;
  }

  /** Entries from `index` on, as many as fit, and at least one if there is one. */
  slice(index: number, limits: { entriesMax: number; bytesMax: number }): Entry[] {
    const found: Entry[] = [];
    let bytes = 0;
    for (let at = index; at <= this.lastIndex && found.length < limits.entriesMax; at += 1) {
      const entry = this.#must(at);
      bytes += entry.data.length;
      if (found.length > 0 && bytes > limits.bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, "entries leave no gap");
      assert(entry.term >= this.lastTerm, "terms never fall along the log");
      this.#entries.push(entry);
      this.#uncommittedBytes += entry.data.length;
      if (entry.kind !== "configuration") continue;
      const configuration = readConfiguration(entry.data);
      this.#configurations.push({ index: entry.index, configuration });
    }
  }

  /**
   * Takes entries from a leader whose log has `previous` before them.
   *
   * Shape: `entries` follow `previous` without a gap.
   * Returns: the index up to which both logs agree now; `undefined` when they do not agree at
   *          `previous`, or when a committed entry would have to go (no real leader asks for that).
   */
  accept(previous: { index: number; term: number }, entries: readonly Entry[]): number | undefined {
    if (this.term(previous.index) !== previous.term) return undefined;
    const fresh = entries.findIndex(({ index, term }) => this.term(index) !== term);
    if (fresh >= 0) {
      const from = previous.index + 1 + fresh;
      if (from <= this.#commit) return undefined;
      this.#truncate(from);
      this.append(entries.slice(fresh));
    }
    return previous.index + entries.length;
  }

  /**
   * The last entry up to `index` whose term is at most `term`. Another log that has `term` at `index`
   * cannot agree with this one after that entry.
   */
  lastAgreeable(index: number, term: number): { index: number; term: number } {
    let at = Math.min(index, this.lastIndex);
    for (; at > this.#base.index; at -= 1) {
      const found = this.#must(at).term;
      if (found <= term) return { index: at, term: found };
    }
    return at === this.#base.index ? this.#base : { index: at, term: 0 };
  }

  commitTo(index: number): void {
    assert(index <= this.lastIndex, "committed never passes the log");
    for (let at = this.#commit + 1; at <= index; at += 1) {
      this.#uncommittedBytes -= this.#must(at).data.length;
    }
    this.#commit = Math.max(this.#commit, index);
  }

  /** Committed entries that the caller has not got since this peer started. */
  takeCommitted(): Entry[] {
    const from = this.#handed - this.#base.index;
    const entries = this.#entries.slice(from, this.#commit - this.#base.index);
    this.#handed = this.#commit;
    return entries;
  }

  /** Entries to persist. They replace all persisted entries from the first one's index on. */
  takeUnwritten(): Entry[] {
    if (this.#unwritten > this.lastIndex) return [];
    const entries = this.#entries.slice(this.#unwritten - this.#base.index - 1);
    this.#unwritten = this.lastIndex + 1;
    return entries;
  }

  /**
   * Makes a snapshot of the caller's state after entry `index`, and drops all but `trailing` of the
   * entries up to it.
   *
   * Returns: `undefined` when there is a snapshot at `index` or later already.
   */
  compact(index: number, data: Uint8Array, trailing: number): Snapshot | undefined {
    assert(index <= this.#handed, "only applied entries can be compacted");
    if (index <= (this.#snapshot?.index ?? 0)) return undefined;
    const term = this.term(index);
    assert(term !== undefined, "entries behind the snapshot are kept");
    const { configuration } = this.#placedAt(index);
    this.#snapshot = { index, term, configuration, data };
    const base = Math.max(this.#base.index, index - trailing);
    const baseTerm = this.term(base);
    assert(baseTerm !== undefined, "the base is in the log");
    const holds = this.#placedAt(base);
    this.#configurations = [holds, ...this.#configurations.filter((one) => one.index > base)];
    this.#entries = this.#entries.slice(base - this.#base.index);
    this.#base = { index: base, term: baseTerm };
    return this.#snapshot;
  }

  /** Replaces everything by a snapshot from the leader. */
  install(snapshot: Snapshot): void {
    const { index, term, configuration } = snapshot;
    assert(index > this.#commit, "a snapshot never takes back what is committed");
    this.#snapshot = snapshot;
    this.#base = { index, term };
    this.#entries = [];
    this.#configurations = [{ index, configuration }];
    this.#commit = index;
    this.#handed = index;
    this.#unwritten = index + 1;
    this.#uncommittedBytes = 0;
  }

  #truncate(from: number): void {
    assert(from > this.#commit, "committed entries stay");
    const gone = this.#entries.splice(from - this.#base.index - 1);
    for (const entry of gone) this.#uncommittedBytes -= entry.data.length;
    this.#configurations = this.#configurations.filter((one) => one.index < from);
    this.#unwritten = Math.min(this.#unwritten, from);
  }

  get #placed(): Placed {
    const last = this.#configurations.at(-1);
    assert(last !== undefined, "there is always a configuration");
    return last;
  }

  #placedAt(index: number): Placed {
    const found = this.#configurations.findLast((one) => one.index <= index);
    assert(found !== undefined, "the configuration at the base is known");
    return found;
  }

  #at(index: number): Entry | undefined {
    return this.#entries[index - this.#base.index - 1];
  }

  #must(index: number): Entry {
    const entry = this.#at(index);
    assert(entry !== undefined, "the entry is in the log");
    return entry;
  }
}
