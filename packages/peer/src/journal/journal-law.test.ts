/**
 * The journal against the meaning of Raft's persist effect (StableCopy, of consensus). Whatever Raft asks for,
 * however the journal gathers it into records, and wherever a crash tears a file: recovery returns the result
 * of exactly those writes whose records are intact.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry, Restored, Snapshot } from "@gam/consensus";
import { StableCopy, type Write } from "@gam/consensus/testing";
import type { NodeId } from "@gam/core";
import fc from "fast-check";
import { type DiskStep, Journal, recoverJournal } from "./journal.ts";

/** The next event. `size` and `at` choose among what is possible at that moment. */
interface Event {
  readonly kind: "append" | "overwrite" | "vote" | "compact" | "install" | "perform" | "crash";
  readonly size: number;
  readonly at: number;
}

const events: fc.Arbitrary<Event[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(
      ...(["append", "append", "overwrite", "vote", "compact", "install"] as const),
      ...(["perform", "perform", "perform", "crash"] as const),
    ),
    size: fc.integer({ min: 1, max: 4 }),
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  }),
  { maxLength: 60 },
);

const configuration = { voters: ["a" as NodeId], votersOutgoing: [], learners: [], standbys: [] };
type Files = ReadonlyMap<string, Uint8Array>;

class World {
  files: Files = new Map();
  journal = new Journal();
  /** The state that the disk holds. */
  durable = new StableCopy(recoverJournal([]).restored);
  /** All that Raft has asked for until now: its next write builds on this. */
  asked = this.durable.clone();
  waiting: Write[] = [];
  term = 1;
  writes = 0;

  happen({ kind, size, at }: Event): void {
    const { asked } = this;
    const base = asked.snapshot?.index ?? 0;
    const reach = asked.lastIndex - base;
    switch (kind) {
      case "append":
        return this.#ask(this.#entries(asked.lastIndex + 1, size));
      case "overwrite":
        this.term += 1;
        return this.#ask(this.#entries(base + 1 + Math.floor(at * reach), size));
      case "vote":
        this.term += 1;
        return this.#ask([]);
      case "compact": {
        const index = base + Math.ceil(at * reach);
        if (index === base) return;
        return this.#ask([], this.#snapshot(index, asked.term(index) ?? 0));
      }
      case "install": {
        this.term += 1;
        // An index within the log or behind its end. The snapshot does not agree with the log, so the log is
        // dropped.
        const index = base + 1 + Math.floor(at * (reach + 3));
        return this.#ask(this.#entries(index + 1, size - 1), this.#snapshot(index, this.term));
      }
      case "perform":
        return this.#perform();
      case "crash":
        return this.#crash(at);
    }
  }

  #entries(from: number, count: number): Entry[] {
    return Array.from({ length: count }, (_, step) => {
      const data = Uint8Array.of(from + step, this.term, this.writes);
      return { index: from + step, term: this.term, kind: "data", data };
    });
  }

  #snapshot(index: number, term: number): Snapshot {
    return { index, term, configuration, data: Uint8Array.of(index, term) };
  }

  #ask(entries: readonly Entry[], snapshot?: Snapshot): void {
    this.writes += 1;
    const hardState = { term: this.term, votedFor: "a" as NodeId, commit: 0 };
    const write = { kind: "persist" as const, write: this.writes, hardState, entries, snapshot };
    this.asked.write(write);
    this.waiting.push(write);
    this.journal.request(write);
  }

  #perform(): void {
    const step = this.journal.take();
    if (step === undefined) return assert.deepEqual(this.waiting, []);
    this.files = done(step, this.files);
    this.#whole();
    assert.deepEqual(this.journal.persisted(), this.#taken);
  }

  #taken: number[] = [];

  /** All waiting writes are on the disk. */
  #whole(): void {
    for (const write of this.waiting) this.durable.write(write);
    this.#taken = this.waiting.map(({ write }) => write);
    this.waiting = [];
  }

  /** Crashes before the next step, in the middle of it, or after it but before persisted(). */
  #crash(at: number): void {
    const step = this.journal.take();
    if (step !== undefined) {
      const [files, isWhole] = cutOff(step, this.files, at);
      this.files = files;
      if (isWhole) this.#whole();
    }
    const { restored, journal, cut } = recoverJournal(listOf(this.files));
    assert.deepEqual(plain(restored), plain(this.durable.restored()));
    if (cut !== undefined) {
      const bytes = this.files.get(cut.file)?.subarray(0, cut.toBytes) ?? new Uint8Array();
      this.files = new Map([...this.files, [cut.file, bytes]]);
    }
    this.journal = journal;
    this.asked = this.durable.clone();
    this.waiting = [];
    this.term = Math.max(this.term, restored.hardState.term);
  }
}

/** The files after the step. */
function done(step: DiskStep, files: Files): Files {
  if (step.kind === "begin") return new Map([[step.file, step.bytes]]);
  const before = files.get(step.file) ?? new Uint8Array();
  return new Map([...files, [step.file, Buffer.concat([before, step.bytes])]]);
}

/** The files after a crash within the step, and whether the step's write is complete in them. */
function cutOff(step: DiskStep, files: Files, at: number): [Files, boolean] {
  if (at > 0.8) return [done(step, files), true];
  // A new file gets its name in one operation or not at all; the old files may still be there beside it.
  if (step.kind === "begin") {
    return at < 0.4 ? [files, false] : [new Map([...files, ...done(step, files)]), true];
  }
  const length = Math.floor((at / 0.8) * step.bytes.length);
  return [done({ ...step, bytes: step.bytes.subarray(0, length) }, files), false];
}

function listOf(files: Files): { name: string; bytes: Uint8Array }[] {
  return [...files].map(([name, bytes]) => ({ name, bytes }));
}

/** Makes bytes comparable, whichever class holds them. */
function plain({ hardState, snapshot, entries }: Restored): unknown {
  const hex = <T extends { readonly data: Uint8Array }>(one: T) => ({
    ...one,
    data: Buffer.from(one.data).toString("hex"),
  });
  return {
    hardState: { ...hardState },
    snapshot: snapshot && hex(snapshot),
    entries: entries.map(hex),
  };
}

test("a recovered journal equals its intact records, wherever a crash tore it", () => {
  fc.assert(
    fc.property(events, (story) => {
      const world = new World();
      for (const event of [...story, { kind: "crash", size: 1, at: 0.9 } as const]) {
        world.happen(event);
        const log = plain(world.journal.log());
        assert.deepEqual(log, plain(world.asked.restored()));
      }
    }),
    { numRuns: 500 },
  );
});
