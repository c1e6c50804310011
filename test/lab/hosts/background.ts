/** A process that keeps running inside a host. It ends with its host at the latest. */
import { setTimeout as pause } from "node:timers/promises";
import { isRunning, type ProcessRef, signalProcess } from "./process-ref.ts";

const pollMs = 10;

export class Background {
  /** In the outer PID namespace. Undefined when it ended before it could be looked up. */
  readonly ref: ProcessRef | undefined;
  /** File with both output streams, appended. It has the same name outside of the host. */
  readonly log: string;

  constructor(ref: ProcessRef | undefined, log: string) {
    this.ref = ref;
    this.log = log;
  }

  get running(): boolean {
    return this.ref !== undefined && isRunning(this.ref);
  }

  kill(signal: NodeJS.Signals): void {
    if (this.ref !== undefined) signalProcess(this.ref, signal);
  }

  async ended(): Promise<void> {
    while (this.running) await pause(pollMs);
  }
}
