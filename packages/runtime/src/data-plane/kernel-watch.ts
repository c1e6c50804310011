/**
 * Kernel watch: says "look again" when something of gam's changed in the kernel.
 *
 * Two programs tell of everything: `ip monitor` of devices, addresses and neighbours, `nft monitor` of
 * the packet filter. Only lines that name something of gam's count. What happened is not told, nor who
 * did it: gam's own doings are heard as well.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { commandEnvironment } from "./command.ts";

interface Listener {
  readonly program: string;
  readonly args: readonly string[];
  /**
   * Lines that tell of gam's own. Neighbours of bridges come and go with every container that speaks,
   * and are not planned.
   */
  readonly own: RegExp;
  /** Lines that tell of a container's link in one of gam's bridges. */
  readonly port?: RegExp;
}

export interface KernelEars {
  /** Something of gam's is not as it was. */
  onChange(): void;
  /** A container came to a bridge. */
  onPort(): void;
}

const listeners: readonly Listener[] = [
  {
    program: "ip",
    args: ["-o", "monitor", "link", "address", "neigh"],
    own: /^(?:Deleted )?\d+: gam(?:x?-|wg)|\bdev gamx-/,
    port: /^\d+: .*\bmaster gam-/,
  },
  {
    program: "nft",
    args: ["monitor"],
    own: /^(?:add|delete|insert|replace|destroy) \w+ \w+ gam\b/,
  },
];
const restartMs = 1_000;
const restartMsMax = 60_000;
/** One that lived so long was no failure to start. */
const soundMs = 10_000;

export class KernelWatch {
  readonly #ears: KernelEars;
  readonly #children = new Set<ChildProcess>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(ears: KernelEars) {
    this.#ears = ears;
  }

  start(): void {
    for (const listener of listeners) this.#listen(listener, restartMs);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const child of this.#children) child.kill();
  }

  #listen(listener: Listener, delayMs: number): void {
    const { program, args, own, port } = listener;
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "ignore"],
      env: commandEnvironment,
    });
    const startedMs = performance.now();
    this.#children.add(child);
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (own.test(line)) this.#ears.onChange();
      else if (port?.test(line)) this.#ears.onPort();
    });
    let ended = false;
    const again = (): void => {
      if (ended) return;
      ended = true;
      this.#children.delete(child);
      if (this.#closed) return;
      const sound = performance.now() - startedMs > soundMs;
      const waitMs = sound ? restartMs : delayMs;
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#listen(listener, Math.min(waitMs * 2, restartMsMax));
        this.#ears.onChange(); // Something may have happened while nobody listened.
      }, waitMs);
      timer.unref();
      this.#timers.add(timer);
    };
    child.once("error", again); // The program is missing: the data plane says so itself.
    child.once("close", again);
    child.unref();
  }
}
