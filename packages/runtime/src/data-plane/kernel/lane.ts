/** Lane: does one piece of work at a time. Asked again meanwhile, it does it once more afterwards. */
export class Lane {
  readonly #work: () => Promise<void>;
  #asked = false;
  #running: Promise<void> | undefined;
  /** Who wait for the end of the round that begins next. */
  #waiting: (() => void)[] = [];

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Shape: ends when nothing is asked for any more. */
  ask(): Promise<void> {
    this.#asked = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Ends when it has been done once more, from the beginning. */
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
