/**
 * Disk: files that survive a power loss only as far as they were made durable.
 *
 * A step takes a while. When the power goes in the middle of one, any part of an append may be there,
 * and a new file is either there or not, as a rename is.
 */
import type { Random } from "@gam/core";
import { type DiskStep, type JournalFile, type Recovered, recoverJournal } from "@gam/peer";

export class SimDisk {
  /** Each in the pieces in which it was written. */
  #files = new Map<string, Uint8Array[]>();
  #underWay: DiskStep | undefined;
  /** A planted fault: the disk says that a step is durable before it is. */
  readonly #lies: boolean;
  #unsafe: DiskStep[] = [];

  constructor(lies = false) {
    this.#lies = lies;
  }

  begin(step: DiskStep): void {
    this.#underWay = step;
  }

  /** The step under way is done. */
  finish(): void {
    const step = this.#underWay;
    if (step === undefined) return;
    this.#underWay = undefined;
    if (!this.#lies) return this.#keep(step, step.bytes.length);
    this.#unsafe.push(step);
    if (this.#unsafe.length > 20) {
      const oldest = this.#unsafe.shift();
      if (oldest !== undefined) this.#keep(oldest, oldest.bytes.length);
    }
  }

  powerLoss(random: Random): void {
    const step = this.#underWay;
    this.#underWay = undefined;
    this.#unsafe = [];
    if (step === undefined) return;
    if (step.kind === "append") this.#keep(step, random.below(step.bytes.length + 1));
    else if (random.below(2) === 0) this.#keep(step, step.bytes.length);
  }

  /** Which entry an agent that starts now would find there: its term, or "snapshot" if it is in one. */
  termAt(index: number): number | "snapshot" | undefined {
    const { snapshot, entries } = recoverJournal(
      this.#journal(),
      false,
      Number.MAX_SAFE_INTEGER,
    ).restored;
    if (index <= (snapshot?.index ?? 0)) return "snapshot";
    return entries.find((entry) => entry.index === index)?.term;
  }

  /** What an agent that speaks that dialect, and starts now, finds. The torn tail is cut off, as the agent's shell does. */
  recover(dialect: number): Recovered {
    const recovered = recoverJournal(this.#journal(), false, dialect);
    if (recovered.cut !== undefined) {
      const { file, toBytes } = recovered.cut;
      this.#files.set(file, [joined(this.#files.get(file) ?? []).slice(0, toBytes)]);
    }
    return recovered;
  }

  #journal(): JournalFile[] {
    return [...this.#files].map(([name, pieces]) => ({ name, bytes: joined(pieces) }));
  }

  #keep(step: DiskStep, length: number): void {
    const bytes = step.bytes.subarray(0, length);
    if (step.kind === "begin") {
      this.#files = new Map([[step.file, [bytes]]]);
      return;
    }
    const pieces = this.#files.get(step.file);
    if (pieces === undefined) this.#files.set(step.file, [bytes]);
    else pieces.push(bytes);
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
