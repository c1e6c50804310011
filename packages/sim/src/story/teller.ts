/**
 * Teller: what happened in a history, line by line, for a reader.
 *
 * Facts in, lines out. Each entry of the log has one line, at the moment when the first host applied it; the
 * line names the hosts that were late. Lines follow from the facts alone, so one seed is one story. A world
 * without a teller makes no facts.
 */
import type { ProposalOutcome } from "@gam/peer";
import type { AskedChange, Event } from "@gam/state";
import { hostsIn, Names } from "./names.ts";
import { type Phrase, phraseOfChange, phraseOfEvent } from "./phrases.ts";

export type Fact =
  /** Something that happens from outside, or by hand. Ids in the text become names. */
  | { readonly kind: "mishap"; readonly text: string }
  /** What the peer of a host says about itself. */
  | { readonly kind: "noted"; readonly host: string; readonly text: string }
  | {
      readonly kind: "asked";
      readonly request: number;
      readonly host: string;
      readonly changes: readonly AskedChange[];
    }
  | {
      readonly kind: "answered";
      readonly request: number;
      readonly host: string;
      readonly answer: ProposalOutcome;
    }
  | {
      readonly kind: "applied";
      readonly host: string;
      readonly index: number;
      readonly events: readonly Event[];
      /** The host got a snapshot of the state, up to this entry. */
      readonly snapshot: boolean;
    };

export interface Filter {
  /** Of virtual time. */
  readonly fromMs?: number | undefined;
  /** Names of objects, or groups of them (phrases.ts). */
  readonly only?: readonly string[] | undefined;
  /** Lines that these hosts log, requests to them, and entries about them. */
  readonly hosts?: readonly string[] | undefined;
}

interface By {
  readonly host: string;
  readonly afterMs: number;
}

interface Line {
  readonly atMs: number;
  readonly head: string;
  readonly parts: readonly Phrase[];
  /** Hosts that applied the entry or logged the note, in order. */
  readonly by: By[];
  /** The line is a note, so a filter for a host in `by` finds it. An entry is applied by all hosts. */
  readonly isNote?: boolean;
}

/** Hosts later than this are named, with their delay. */
const togetherMs = 1000;

export class Teller {
  readonly #names = new Names();
  readonly #lines: Line[] = [];
  /** By index and effect: if an entry did different things on two hosts, there are two lines. */
  readonly #entries = new Map<string, Line>();
  /** The last line of each note. */
  readonly #notes = new Map<string, Line>();
  /** What open requests are about. */
  readonly #asked = new Map<number, readonly string[]>();

  take(atMs: number, fact: Fact): void {
    switch (fact.kind) {
      case "mishap": {
        const text = this.#names.plain(fact.text);
        return this.#add(atMs, "", [{ text, about: ["mishaps"], hosts: hostsIn(text) }]);
      }
      case "noted":
        return this.#takeNoted(atMs, fact);
      case "asked":
        return this.#takeAsked(atMs, fact);
      case "answered": {
        const host = this.#names.of(fact.host);
        const text = this.#names.plain(answerOf(fact.answer));
        const about = this.#asked.get(fact.request) ?? [];
        this.#asked.delete(fact.request);
        return this.#add(atMs, `${host} answers client ${fact.request}:`, [
          { text, about, hosts: [host] },
        ]);
      }
      case "applied":
        return this.#takeApplied(atMs, fact);
    }
  }

  #takeAsked(atMs: number, fact: Extract<Fact, { kind: "asked" }>): void {
    const host = this.#names.of(fact.host);
    const parts = fact.changes.map((change) => {
      const phrase = phraseOfChange(change, this.#names);
      return { ...phrase, hosts: [host, ...phrase.hosts] };
    });
    this.#asked.set(
      fact.request,
      parts.flatMap(({ about }) => about),
    );
    this.#add(atMs, `client ${fact.request} asks ${host}:`, parts);
  }

  /** Adds a note. Hosts that log the same at about the same time share a line. */
  #takeNoted(atMs: number, fact: Extract<Fact, { kind: "noted" }>): void {
    const host = this.#names.of(fact.host);
    const text = this.#names.plain(fact.text);
    const known = this.#notes.get(text);
    if (known !== undefined && atMs - known.atMs <= togetherMs) {
      known.by.push({ host, afterMs: atMs - known.atMs });
      return;
    }
    const parts = [{ text, about: ["peers"], hosts: hostsIn(text) }];
    const line = { atMs, head: "", parts, by: [{ host, afterMs: 0 }], isNote: true };
    this.#notes.set(text, line);
    this.#lines.push(line);
  }

  #takeApplied(atMs: number, { host: id, index, events, snapshot }: FactApplied): void {
    const host = this.#names.of(id);
    const phrases = events.map((event) => phraseOfEvent(event, this.#names));
    const nothing = { text: "changes nothing", about: ["peers"], hosts: [] };
    const parts = phrases.length === 0 ? [nothing] : phrases;
    if (snapshot) {
      const part = { text: `takes a snapshot of entry ${index}`, about: ["peers"], hosts: [host] };
      return this.#add(atMs, host, [part]);
    }
    const key = `${index} ${parts.map(({ text }) => text).join()}`;
    let line = this.#entries.get(key);
    if (line === undefined) {
      line = { atMs, head: `entry ${index}:`, parts, by: [] };
      this.#entries.set(key, line);
      this.#lines.push(line);
    }
    line.by.push({ host, afterMs: atMs - line.atMs });
  }

  #add(atMs: number, head: string, parts: readonly Phrase[]): void {
    this.#lines.push({ atMs, head, parts, by: [] });
  }

  /** The text with names instead of ids. */
  plain(text: string): string {
    return this.#names.plain(text);
  }

  /** The lines that pass the filter, in order. An entry about several objects keeps only the parts that pass. */
  lines({ fromMs = 0, only, hosts }: Filter = {}): string[] {
    return this.#lines.flatMap((line) => {
      if (line.atMs < fromMs) return [];
      const said = line.isNote === true ? line.by.map(({ host }) => host) : [];
      const parts = line.parts.filter(
        (part) => meets(part.about, only) && meets([...part.hosts, ...said], hosts),
      );
      return parts.length === 0 ? [] : [rendered(line, parts, hosts)];
    });
  }

  /** Every name that a filter can match. */
  words(): { readonly only: ReadonlySet<string>; readonly hosts: ReadonlySet<string> } {
    const parts = this.#lines.flatMap((line) => line.parts);
    return {
      only: new Set(parts.flatMap(({ about }) => about)),
      hosts: new Set([
        ...parts.flatMap((part) => part.hosts),
        ...this.#lines.flatMap(({ by }) => by.map(({ host }) => host)),
      ]),
    };
  }
}

type FactApplied = Extract<Fact, { kind: "applied" }>;

function meets(found: readonly string[], wanted: readonly string[] | undefined): boolean {
  return wanted === undefined || found.some((one) => wanted.includes(one));
}

function answerOf(answer: ProposalOutcome): string {
  switch (answer.kind) {
    case "applied":
      return `done with entry ${answer.index}`;
    case "refused":
      return `refused, ${answer.code}: ${answer.message}`;
    case "lost":
      return `outcome unknown: ${answer.message}`;
  }
}

/** `  12.345  entry 7: web.3#9 running on host1  (host1, 4 more within 3 ms; host5 after 2.1 s)` */
function rendered(
  { atMs, head, by }: Line,
  parts: readonly Phrase[],
  hosts: readonly string[] | undefined,
): string {
  const text = [head, parts.map((part) => part.text).join("; ")].filter(Boolean).join(" ");
  const time = (atMs / 1000).toFixed(3).padStart(8);
  return `${time}  ${text}${by.length === 0 ? "" : `  (${byWhom(by, hosts)})`}`;
}

function byWhom(by: readonly By[], hosts: readonly string[] | undefined): string {
  const seen = new Set<string>();
  const late: string[] = [];
  let [together, withinMs] = [0, 0];
  for (const { host, afterMs } of by.slice(1)) {
    // The host applied it again after a restart or from a snapshot.
    const isAgain = host === by[0]?.host || seen.has(host);
    seen.add(host);
    if (isAgain || afterMs > togetherMs || hosts?.includes(host)) {
      late.push(`${host} ${isAgain ? "again " : ""}after ${timeOf(afterMs)}`);
    } else {
      together += 1;
      withinMs = afterMs;
    }
  }
  const others = together === 0 ? "" : `, ${together} more within ${timeOf(withinMs)}`;
  return [`${by[0]?.host}${others}`, ...late].join("; ");
}

function timeOf(ms: number): string {
  return ms < togetherMs ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}
