import type { ForwardedAnswer } from "./forwarded-answer.ts";

const entriesMax = 4096;
/** Longer answers are rare, and would let a container fill 256 MiB. */
const messageBytesMax = 2048;

interface Entry {
  readonly answer: ForwardedAnswer;
  readonly sinceMs: number;
}

/** Answers of other servers, kept for their TTL. When full, the least recently used one is dropped. Pure. */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();

  get size(): number {
    return this.#entries.size;
  }

  put(key: string, answer: ForwardedAnswer, nowMs: number): void {
    if (answer.keepSeconds === 0 || answer.message.length > messageBytesMax) return;
    this.#entries.delete(key);
    this.#entries.set(key, { answer, sinceMs: nowMs });
    if (this.#entries.size <= entriesMax) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  /** Returns: the answer and its age in whole seconds; `undefined` when it is missing or too old. */
  get(
    key: string,
    nowMs: number,
  ): { readonly answer: ForwardedAnswer; readonly ageSeconds: number } | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    const ageSeconds = Math.floor((nowMs - entry.sinceMs) / 1000);
    if (ageSeconds >= entry.answer.keepSeconds) return undefined;
    this.#entries.set(key, entry);
    return { answer: entry.answer, ageSeconds };
  }
}
