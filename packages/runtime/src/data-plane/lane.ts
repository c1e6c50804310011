/** Lane: does one piece of work at a time. Asked again meanwhile, it does it once more afterwards. */
export class Lane {
  readonly #work: () => Promise<void>;
  #asked = false;
  #running: Promise<void> | undefined;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Shape: ends when nothing is asked for any more. */
  ask(): Promise<void> {
    this.#asked = true;
    this.#running ??= this.#run();
    return this.#running;
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
        await this.#work();
      }
    } finally {
      this.#running = undefined;
    }
  }
}
