/**
 * Traffic: measures traffic between two places, with well-known tools.
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
  /** PID of a container's process, in the host's namespace. Absent: the host itself. */
  readonly pid?: number;
}

export interface Requests {
  /** True: a connection for each request. False: 32 connections that are kept. */
  readonly newConnections: boolean;
  readonly seconds: number;
}

const readyMsMax = 5000;
const retryMs = 50;
const atOnce = 32;
/** Where a place listens for streams. */
export const streamPort = 5201;

/** Starts a server for streams, which runs until it is killed. */
export function listen(at: Place): Promise<Background> {
  const words = enter(at, ["iperf3", "--server", "--forceflush"]);
  return at.host.spawn(`iperf-${at.pid ?? "host"}`, words);
}

/** One TCP stream to a place that listens. Gbit/s of payload as received. */
export async function streamGbit(
  from: Place,
  to: string,
  seconds: number,
  port = streamPort,
): Promise<number> {
  const where = ["--client", to, "--port", String(port)];
  const words = ["iperf3", "--json", ...where, "--time", String(seconds), "--omit", "1"];
  const deadline = performance.now() + readyMsMax + seconds * 1000;
  for (;;) {
    const { stdout } = await exec(from, words, seconds + 10);
    const found = /"sum_received":\s*{[^}]*"bits_per_second":\s*([\d.e+]+)/.exec(stdout)?.[1];
    if (found !== undefined) return Number(found) / 1e9;
    if (performance.now() > deadline) {
      throw new LabError(`Cannot measure a stream from ${from.host.name} to ${to}: ${stdout}`);
    }
    await pause(retryMs); // The server does not listen yet, or has not ended the last stream.
  }
}

/** Answered requests per second. Errors: LabError when any was not answered. */
export async function requestsPerSecond(
  from: Place,
  url: string,
  { newConnections, seconds }: Requests,
): Promise<number> {
  const close = newConnections ? ["--header", "Connection: close"] : [];
  const words = ["wrk", "-t1", `-c${atOnce}`, `-d${seconds}s`, ...close, url];
  const { stdout, stderr } = await exec(from, words, seconds + 10);
  const found = /^Requests\/sec:\s+([\d.]+)/m.exec(stdout)?.[1];
  // The tool counts a connection closed by the server as a read error, so read errors do not matter.
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
