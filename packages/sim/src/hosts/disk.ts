/**
 * Disk: files of which only the durable part survives a power loss.
 *
 * A step takes time. After a power loss in the middle of one, any part of an append may be on the disk.
 * A new file is there completely or not at all, as after a rename.
 */
import type { Random } from "@gam/core";
import { type DiskStep, type JournalFile, type Recovered, recoverJournal } from "@gam/peer";

export class SimDisk {
  /** Each file, in the pieces in which it was written. */
  #files = new Map<string, Uint8Array[]>();
  #underWay: DiskStep | undefined;
  /** A planted fault: the disk reports a step as durable too early. */
  readonly #lies: boolean;
  #unsafe: DiskStep[] = [];

  constructor(lies = false) {
    this.#lies = lies;
  }

  begin(step: DiskStep): void {
    this.#underWay = step;
  }

  /** Completes the current step. */
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

  /** The term of the entry that an agent would find if it started now; "snapshot" if a snapshot holds it. */
  termAt(index: number): number | "snapshot" | undefined {
    const { snapshot, entries } = recoverJournal(
      this.#journal(),
      false,
      Number.MAX_SAFE_INTEGER,
    ).restored;
    if (index <= (snapshot?.index ?? 0)) return "snapshot";
    return entries.find((entry) => entry.index === index)?.term;
  }

  /** What an agent of that dialect finds if it starts now. Cuts off a torn tail, as the agent's shell does. */
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
