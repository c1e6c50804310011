/**
 * Machine: what the machine under a lab carries, and the loads and deadlines that follow from it. Machines of one
 * kind differ by two to three times, and so does one machine from hour to hour.
 *
 *   deadlineMs(lab.machine, 4000, { containers: 10 });         4 s, and what ten container starts take here
 *   loadPerSecond(lab.machine, 500);                           500, or a quarter of what this machine carries
 *
 * How it is measured: measure-machine.ts.
 */
import { LabError } from "./lab-error.ts";

export interface Machine {
  /** Containers that the engines alone, all of them together, create and start in a second. */
  readonly containersPerSecond: number;
  /** Requests with a new connection each, past a DNAT by hand from host to host. A lab of one host has none. */
  readonly requestsPerSecond?: number;
  /** The same while the engines start containers: this is what a test may count on. */
  readonly requestsPerSecondBusy?: number;
  /** One append of 4 KiB with fdatasync where the hosts have their disks: the median. */
  readonly writeMs: number;
  /** A fixed loop of JavaScript (bare.ts): the median. */
  readonly loopMs: number;
}

/** Work that something is given time for. */
export interface Work {
  readonly containers?: number;
  readonly writes?: number;
}

const loadShare = 0.25;

/** One line for people. */
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

/** Whole milliseconds: a base, and what so much work takes on this machine. */
export function deadlineMs(machine: Machine, baseMs: number, work: Work = {}): number {
  const { containers = 0, writes = 0 } = work;
  const workMs = (containers / machine.containersPerSecond) * 1000 + writes * machine.writeMs;
  return Math.ceil(baseMs + workMs);
}

/**
 * Seconds between two health checks of so many containers, at least `leastSeconds`: each check runs a process in a
 * container, which costs a quarter of a start. All of them together get a quarter of what the engines can do.
 */
export function healthSeconds(
  { containersPerSecond }: Machine,
  containers: number,
  leastSeconds: number,
): number {
  return Math.max(leastSeconds, Math.ceil(containers / containersPerSecond));
}

/**
 * Requests a second: what is wished for, but no more than a quarter of what this machine carries past a bare DNAT to
 * one server: an update has more to do. Errors: LabError in a lab of one host.
 */
export function loadPerSecond({ requestsPerSecondBusy }: Machine, wished: number): number {
  if (requestsPerSecondBusy !== undefined) {
    return Math.floor(Math.min(wished, requestsPerSecondBusy * loadShare));
  }
  throw new LabError("Cannot say what load the machine carries: the lab has one host");
}
