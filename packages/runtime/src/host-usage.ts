/**
 * Host usage: how busy this host is, from the kernel's own counters.
 *
 * The engine's statistics take a second per container; these counters take a millisecond per host.
 */
import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { freemem, loadavg, totalmem } from "node:os";
import { rethrowInvariant } from "@gam/core";

export interface HostLoad {
  /** Share of all CPUs in use since the last call, 0 to 1. */
  readonly cpu: number;
  readonly memoryBytes: number;
  readonly memoryTotalBytes: number;
  readonly load: number;
}

export class HostUsage {
  #busy = 0;
  #whole = 0;
  #cpu = 0;

  /** Errors: those of reading /proc, on systems without it. */
  measure(): HostLoad {
    // The kernel answers from memory, so a synchronous read costs less than an asynchronous one.
    const total = totalmem();
    return {
      cpu: this.#share(readFileSync("/proc/stat", "utf8")),
      memoryBytes: Math.max(0, total - freemem()),
      memoryTotalBytes: total,
      load: loadavg()[0] ?? 0,
    };
  }

  /** Source: proc(5): user nice system idle iowait irq softirq steal; guest is part of user. */
  #share(stat: string): number {
    const times = (stat.split("\n")[0] ?? "").trim().split(/\s+/).slice(1, 9).map(Number);
    const whole = times.reduce((sum, time) => sum + time, 0);
    const busy = whole - (times[3] ?? 0) - (times[4] ?? 0);
    const passed = whole - this.#whole;
    // A second call within one kernel tick sees no time pass: return the last value again.
    if (passed > 0) this.#cpu = Math.min(1, Math.max(0, (busy - this.#busy) / passed));
    this.#busy = busy;
    this.#whole = whole;
    return this.#cpu;
  }
}

/** Free bytes on the disk that holds `path`; 0 when that cannot be read. */
export async function diskFreeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (thrown) {
    rethrowInvariant(thrown);
    return 0;
  }
}
