/**
 * Traffic: what passes between two places, by tools that others know as well.
 *
 * A place is a host, or the network of one of its containers: the tools run outside of the container,
 * so it needs nothing for them.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Host, LabError } from "../lab/clusters/lab.ts";
import type { Background } from "../lab/hosts/background.ts";
import type { RunResult } from "../lab/hosts/run.ts";

export interface Place {
  readonly host: Host;
  /** A process of the container, as the host counts. Absent: the host itself. */
  readonly pid?: number;
}

export interface Requests {
  /** A connection for each request, or 32 that are kept. */
  readonly newConnections: boolean;
  readonly seconds: number;
}

const readyMsMax = 5000;
const retryMs = 50;
const atOnce = 32;

/** Listens for streams until it is killed. */
export function listen(at: Place): Promise<Background> {
  const words = enter(at, ["iperf3", "--server", "--forceflush"]);
  return at.host.spawn(`iperf-${at.pid ?? "host"}`, words);
}

/** One TCP stream to a place that listens. Gbit/s of payload as received. */
export async function streamGbit(from: Place, to: string, seconds: number): Promise<number> {
  const words = ["iperf3", "--json", "--client", to, "--time", String(seconds), "--omit", "1"];
  const deadline = performance.now() + readyMsMax + seconds * 1000;
  for (;;) {
    const { stdout } = await exec(from, words, seconds + 10);
    const found = /"sum_received":\s*{[^}]*"bits_per_second":\s*([\d.e+]+)/.exec(stdout)?.[1];
    if (found !== undefined) return Number(found) / 1e9;
    if (performance.now() > deadline) {
      throw new LabError(`Cannot measure a stream from ${from.host.name} to ${to}: ${stdout}`);
    }
    await pause(retryMs); // Nobody listens yet, or the last stream is not over there.
  }
}

/** Requests per second that were answered. Errors: LabError when any was not. */
export async function requestsPerSecond(
  from: Place,
  url: string,
  { newConnections, seconds }: Requests,
): Promise<number> {
  const close = newConnections ? ["--header", "Connection: close"] : [];
  const words = ["wrk", "-t1", `-c${atOnce}`, `-d${seconds}s`, ...close, url];
  const { stdout, stderr } = await exec(from, words, seconds + 10);
  const found = /^Requests\/sec:\s+([\d.]+)/m.exec(stdout)?.[1];
  // It counts the server's closing of a connection as an error of reading.
  const trouble = /Non-2xx.*|Socket errors: connect [1-9].*|timeout [1-9].*/.exec(stdout)?.[0];
  if (found === undefined || Number(found) === 0 || trouble !== undefined) {
    throw new LabError(`Cannot measure requests at ${url}: ${trouble ?? stdout + stderr}`);
  }
  return Number(found);
}

function exec(from: Place, words: readonly string[], seconds: number): Promise<RunResult> {
  return from.host.exec(enter(from, words), { timeoutMs: seconds * 1000 });
}

function enter({ pid }: Place, words: readonly string[]): string[] {
  return pid === undefined ? [...words] : ["nsenter", "-t", String(pid), "-n", ...words];
}
