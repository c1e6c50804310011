/**
 * Machine: the measured speed of the machine under a lab, and the loads and deadlines that follow from it. Machines
 * of one kind differ by two to three times, and so does one machine from hour to hour.
 *
 *   deadlineMs(lab.machine, 4000, { containers: 10 });         4 s, plus the time of ten container starts here
 *   loadPerSecond(lab.machine, 500);                           500, or a quarter of what this machine carries
 *
 * How it is measured: measure-machine.ts.
 */
import { LabError } from "./lab-error.ts";

export interface Machine {
  /** Containers that all engines together create and start in a second, without gam. */
  readonly containersPerSecond: number;
  /** Requests with a new connection each, from host to host through a bare DNAT. Absent in a lab of one host. */
  readonly requestsPerSecond?: number;
  /** The same while the engines start containers. Tests may count on this. */
  readonly requestsPerSecondBusy?: number;
  /** Median of an append of 4 KiB with fdatasync, on the disk of the hosts. */
  readonly writeMs: number;
  /** Median of a fixed loop of JavaScript (bare.ts). */
  readonly loopMs: number;
}

/** Work for which a deadline gets extra time. */
export interface Work {
  readonly containers?: number;
  readonly writes?: number;
}

const loadShare = 0.25;

/** The figures in one line. */
export function machineText(machine: Machine): string {
  const { containersPerSecond, requestsPerSecond, requestsPerSecondBusy } = machine;
  const words = [`the engines alone start ${containersPerSecond.toFixed(1)} containers a second`];
  if (requestsPerSecond !== undefined && requestsPerSecondBusy !== undefined) {
    const busy = `${requestsPerSecondBusy.toFixed(0)} while containers start`;
    words.push(`a bare DNAT carries ${requestsPerSecond.toFixed(0)} requests a second (${busy})`);
  }
  words.push(`a write with fsync takes ${machine.writeMs.toFixed(2)} ms`);
  words.push(`a fixed loop ${machine.loopMs.toFixed(0)} ms`);
  return words.join(", ");
}

/** A deadline in whole milliseconds: a base, plus the time of the work on this machine. */
export function deadlineMs(machine: Machine, baseMs: number, work: Work = {}): number {
  const { containers = 0, writes = 0 } = work;
  const workMs = (containers / machine.containersPerSecond) * 1000 + writes * machine.writeMs;
  return Math.ceil(baseMs + workMs);
}

/**
 * Seconds between two health checks of a container, at least `leastSeconds`. Each check runs a process in a
 * container, which costs a quarter of a start. All checks together may use a quarter of what the engines can do.
 */
export function healthSeconds(
  { containersPerSecond }: Machine,
  containers: number,
  leastSeconds: number,
): number {
  return Math.max(leastSeconds, Math.ceil(containers / containersPerSecond));
}

/**
 * Requests a second: `wished`, but no more than a quarter of what this machine carries through a bare DNAT to one
 * server, since an update has more to do. Errors: LabError in a lab of one host.
 */
export function loadPerSecond({ requestsPerSecondBusy }: Machine, wished: number): number {
  if (requestsPerSecondBusy !== undefined) {
    return Math.floor(Math.min(wished, requestsPerSecondBusy * loadShare));
  }
  throw new LabError("Cannot say what load the machine carries: the lab has one host");
}
