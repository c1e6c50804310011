/**
 * Time merge: one sequence of items, in order of time, out of many sources, each of which is in order by itself.
 *
 * Decides which source's item comes next. An item is due when every source has shown its next one, or when it has
 * waited long enough for sources that show none: a quiet source must not hold back the others. Takes one item of a
 * source at a time, so a slow reader holds back all sources.
 */
import { compareTimes, type LogTime } from "./log-times.ts";

export interface Timed {
  readonly time: LogTime;
  /** The next item of this source continues this one: no other may come in between. */
  readonly isCut: boolean;
}

interface Source<T> {
  readonly items: AsyncIterator<T>;
  head: { readonly item: T; readonly sinceMs: number } | undefined;
}

export class TimeMerge<T extends Timed> {
  readonly #waitMs: number;
  readonly #sources = new Set<Source<T>>();
  /** The source whose last item was cut, and since when its rest is missing. */
  #cut: { readonly source: Source<T>; readonly sinceMs: number } | undefined;
  #isClosed = false;
  #failure: { readonly thrown: unknown } | undefined;
  #wake: () => void = () => undefined;

  /** `waitMs`: how long an item waits for sources that show none; Infinity: until they end. */
  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Errors of the source end items(). */
  add(items: AsyncIterable<T>): void {
    const source: Source<T> = {
      items: items[Symbol.asyncIterator](),
      head: undefined,
    };
    this.#sources.add(source);
    void this.#read(source);
  }

  /** From now on items() ends with the last source. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  /** Yields the items. Call it once. */
  async *items(): AsyncGenerator<T> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.thrown;
      const source = this.#next();
      if (source?.head !== undefined) {
        const { item } = source.head;
        this.#cut = item.isCut ? { source, sinceMs: performance.now() } : undefined;
        source.head = undefined;
        void this.#read(source);
        yield item;
      } else if (this.#isClosed && this.#sources.size === 0) return;
      else await this.#news();
    }
  }

  /** Returns: the source whose head is due. */
  #next(): Source<T> | undefined {
    const cut = this.#waitsForRest();
    if (cut !== undefined) return cut.head === undefined ? undefined : cut;
    let first: Source<T> | undefined;
    let isWhole = true;
    for (const source of this.#sources) {
      if (source.head === undefined) isWhole = false;
      else if (
        first?.head === undefined ||
        compareTimes(source.head.item.time, first.head.item.time) < 0
      ) {
        first = source;
      }
    }
    return isWhole || this.#leftMs(first?.head?.sinceMs) <= 0 ? first : undefined;
  }

  #waitsForRest(): Source<T> | undefined {
    const { source, sinceMs } = this.#cut ?? {};
    if (source === undefined || !this.#sources.has(source)) return undefined;
    return source.head !== undefined || this.#leftMs(sinceMs) > 0 ? source : undefined;
  }

  #leftMs(sinceMs = Number.POSITIVE_INFINITY): number {
    return this.#waitMs + sinceMs - performance.now();
  }

  /** Resolves when a source has changed, or when an item has waited long enough. */
  async #news(): Promise<void> {
    const waiting =
      this.#waitsForRest() === undefined
        ? [...this.#sources].map(({ head }) => head?.sinceMs)
        : [this.#cut?.sinceMs];
    const left = Math.min(...waiting.map((sinceMs) => this.#leftMs(sinceMs)));
    await new Promise<void>((settle) => {
      const timer = Number.isFinite(left) ? setTimeout(settle, Math.max(left, 0)) : undefined;
      this.#wake = () => {
        clearTimeout(timer);
        settle();
      };
    });
  }

  async #read(source: Source<T>): Promise<void> {
    try {
      const { value, done } = await source.items.next();
      if (done === true) this.#sources.delete(source);
      else source.head = { item: value, sinceMs: performance.now() };
    } catch (thrown) {
      // Catches all: items() throws it.
      this.#sources.delete(source);
      this.#failure ??= { thrown };
    }
    this.#wake();
  }
}
