/** A binary heap: the least item first, by the given order. */
export class Heap<Item> {
  readonly #items: Item[];
  readonly #less: (a: Item, b: Item) => boolean;

  constructor(items: readonly Item[], less: (a: Item, b: Item) => boolean) {
    this.#items = [...items];
    this.#less = less;
    for (let at = (this.#items.length >> 1) - 1; at >= 0; at -= 1) this.#sink(at);
  }

  first(): Item | undefined {
    return this.#items[0];
  }

  /** The first item now ranks lower: moves it to its new place. */
  settleFirst(): void {
    this.#sink(0);
  }

  removeFirst(): void {
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return;
    this.#items[0] = last;
    this.#sink(0);
  }

  #sink(from: number): void {
    const items = this.#items;
    const item = items[from] as Item;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      const right = child + 1;
      if (right < items.length && this.#less(items[right] as Item, items[child] as Item)) {
        child = right;
      }
      if (!this.#less(items[child] as Item, item)) break;
      items[at] = items[child] as Item;
      at = child;
    }
    items[at] = item;
  }
}
