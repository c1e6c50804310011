/** Listeners: the handlers of one kind of event, called in the order in which they were added. */
export class Listeners<Args extends readonly unknown[]> {
  readonly #handlers = new Set<(...args: Args) => void>();

  /** Returns how to stop. */
  add(handler: (...args: Args) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Errors: those of a handler; the handlers after it are not called then. */
  tell(...args: Args): void {
    for (const handler of this.#handlers) handler(...args);
  }

  clear(): void {
    this.#handlers.clear();
  }
}
