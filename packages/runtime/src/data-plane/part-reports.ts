/**
 * Part reports: what the parts of the data plane could not do, and what they had to mend.
 *
 * Decides what is logged: a problem once when it begins and once when it is over, and each repair. Keeps the
 * problems of the last try of each part.
 */
import { messageOf, rethrowInvariant } from "@gam/core";

export type DataPlaneLog = (
  level: "debug" | "info" | "warn",
  text: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** Parts that fail independently of each other. */
type Part =
  | "engine networks"
  | "settings"
  | "links"
  | "tunnels"
  | "packet filter"
  | "IPv6 filter"
  | "fast path"
  | "containers"
  | "default routes"
  | "firewall"
  | "connections";

/** Parts that only make connections faster: everything works without them. */
const spare: ReadonlySet<Part> = new Set<Part>(["fast path", "containers", "default routes"]);
/** Parts that decide which task a connection reaches. */
const steering: readonly Part[] = ["packet filter", "fast path"];
/** Repairs in one log line. */
const shownMax = 20;

export class PartReports {
  readonly #log: DataPlaneLog;
  readonly #problems = new Map<Part, string>();
  /** What people should know about a part that works. */
  readonly #notices = new Map<Part, string>();

  constructor(log: DataPlaneLog) {
    this.#log = log;
  }

  /** One sentence for each part that failed at its last try, except those that are only for speed; and notices. */
  get problems(): readonly string[] {
    const shown = [...this.#problems].filter(([part]) => !spare.has(part));
    return [...shown, ...this.#notices].map(([, problem]) => problem).sort();
  }

  /** No part that steers connections failed at its last try. */
  get steers(): boolean {
    return steering.every((part) => !this.#problems.has(part));
  }

  /** Runs one try of a part. What it throws becomes the problem of that part; only a broken invariant is thrown on. */
  async try(part: Part, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      rethrowInvariant(thrown);
      const problem = messageOf(thrown);
      if (this.#problems.get(part) !== problem) {
        this.#problems.set(part, problem);
        this.#log("warn", "Could not apply part of data plane", { part, problem });
      }
      return;
    }
    if (this.#problems.delete(part)) this.#log("info", "Part of data plane works again", { part });
  }

  /** Sets or, without a sentence, clears the part's notice. */
  notice(part: Part, sentence: string | undefined): void {
    if (this.#notices.get(part) === sentence) return;
    if (sentence === undefined) this.#notices.delete(part);
    else this.#notices.set(part, sentence);
  }

  /** Logs what an audit found changed and has repaired. */
  mended(found: readonly string[]): void {
    if (found.length === 0) return;
    const whats = [...new Set(found)];
    const fields = { found: whats.slice(0, shownMax), count: whats.length };
    this.#log("warn", "Repaired data plane", fields);
  }
}
