/** Lane: runs its work one round at a time. Asked again during a round, it runs one more round afterwards. */
export class Lane {
  readonly #work: () => Promise<void>;
  #asked = false;
  #running: Promise<void> | undefined;
  /** Callers that wait for the end of the next round. */
  #waiting: (() => void)[] = [];

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Asks for a round. Resolves when no round is left to run. */
  ask(): Promise<void> {
    this.#asked = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Asks for a round. Resolves when a round that started after this call has ended. */
  async once(): Promise<void> {
    const done = new Promise<void>((resolve) => this.#waiting.push(resolve));
    await Promise.race([done, this.ask()]);
  }

  get busy(): boolean {
    return this.#running !== undefined;
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#asked) {
        this.#asked = false;
        const waiting = this.#waiting.splice(0);
        await this.#work();
        for (const resolve of waiting) resolve();
      }
    } finally {
      this.#running = undefined;
    }
  }
}
