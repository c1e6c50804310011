/**
 * Host usage: how busy this host is, from the kernel's own counters.
 *
 * The engine's statistics take a second a container; these take a millisecond a host.
 */
import { readFile, statfs } from "node:fs/promises";

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
  async measure(): Promise<HostLoad> {
    const [stat, memory, load] = await Promise.all([
      readFile("/proc/stat", "utf8"),
      readFile("/proc/meminfo", "utf8"),
      readFile("/proc/loadavg", "utf8"),
    ]);
    const total = field(memory, "MemTotal") * 1024;
    return {
      cpu: this.#share(stat),
      memoryBytes: Math.max(0, total - field(memory, "MemAvailable") * 1024),
      memoryTotalBytes: total,
      load: Number(load.split(" ")[0]),
    };
  }

  /** Source: proc(5): user nice system idle iowait irq softirq steal; guest is part of user. */
  #share(stat: string): number {
    const times = (stat.split("\n")[0] ?? "").trim().split(/\s+/).slice(1, 9).map(Number);
    const whole = times.reduce((sum, time) => sum + time, 0);
    const busy = whole - (times[3] ?? 0) - (times[4] ?? 0);
    const passed = whole - this.#whole;
    // Asked twice within one tick of the kernel, nothing has passed: say again what was said.
    if (passed > 0) this.#cpu = Math.min(1, Math.max(0, (busy - this.#busy) / passed));
    this.#busy = busy;
    this.#whole = whole;
    return this.#cpu;
  }
}

function field(memory: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(memory)?.[1] ?? 0);
}

/** Bytes that may still be written where `path` is; 0 when nobody can say. */
export async function diskFreeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    return 0;
  }
}
