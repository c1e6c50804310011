/**
 * Load: counted requests from a host to echo servers, each with a new connection by default.
 *
 *   const load = await Load.start(lab.host(5), { urls, perSecond: 500 });
 *   ... something happens ...
 *   load.end();
 *   const { failures } = await load.result();
 *
 * The generator (load-generator.ts) runs in the host, so that the servers see the host's address.
 */
import { readFileSync, rmSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Background } from "../hosts/background.ts";
import type { Host } from "../hosts/host.ts";
import { LabError } from "../hosts/lab-error.ts";

export type LoadOptions = (Rate | ClosedLoop) & {
  readonly urls: readonly string[];
  /** The name to ask for at those addresses: the header `Host`, and with TLS the name in the certificate. */
  readonly host?: string;
  /** PEM: who signed the certificates. */
  readonly ca?: string;
  /** With TLS: so many connections to each address at most, which are kept, as browsers do. */
  readonly kept?: number;
};

/** Open loop: a request is sent when it is due, even if others are unanswered. */
export interface Rate {
  readonly perSecond: number;
  /** A request without an answer after this time is a failure. Default: 20 s. */
  readonly answerMsMax?: number;
}

/** `atOnce` requests at a time, the next when one is answered, until `count` or `forMs` is reached. */
export interface ClosedLoop {
  readonly atOnce: number;
  readonly count?: number;
  readonly forMs?: number;
  readonly answerMsMax?: number;
}

export interface LoadResult {
  readonly sent: number;
  readonly answered: number;
  /** Requests that were due and not sent, because too many were unanswered. */
  readonly unsent: number;
  /** The longest time from when a request was due until it was sent. */
  readonly lateMs: number;
  /** Number of failures, by reason. */
  readonly failures: Readonly<Record<string, number>>;
  /** Number of answers, by the server's host name. */
  readonly servers: Readonly<Record<string, number>>;
  readonly lastedMs: number;
  /** Median of the answered requests. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Printed by the generator when a load by rate has had a second's worth of answers. */
export const underWayWord = "Under way";
const underWayMsMax = 60_000;
const lateMsMax = 2000;
const pollMs = 20;
let counter = 0;

export class Load {
  readonly #process: Background;

  private constructor(process: Background) {
    this.#process = process;
  }

  /** `inside`: the PID of a container's process, in whose network the generator runs. */
  static async start(host: Host, options: LoadOptions, inside?: number): Promise<Load> {
    const program = new URL("./load-generator.ts", import.meta.url).pathname;
    counter += 1;
    const name = `load-${process.pid}-${counter}`;
    rmSync(`${host.folder}/logs/${name}.log`, { force: true });
    const enter = inside === undefined ? [] : ["nsenter", "-t", String(inside), "-n"];
    const words = [...enter, "node", program, JSON.stringify(options)];
    return new Load(await host.spawn(name, words));
  }

  /** Resolves when a load by rate has had a second's worth of answers. Errors: LabError when that takes a minute. */
  async underWay(): Promise<void> {
    const deadline = performance.now() + underWayMsMax;
    while (!this.#said().includes(underWayWord)) {
      if (!this.#process.running || performance.now() > deadline) {
        throw new LabError(`Cannot get the load under way: ${this.#said()}`);
      }
      await pause(pollMs);
    }
  }

  /** Ends a load by rate. Its result comes when the open requests have ended. */
  end(): void {
    this.#process.kill("SIGTERM");
  }

  /** Resolves when the load has ended. Errors: LabError with the output, if that is not a result. */
  async result(): Promise<LoadResult> {
    await this.#process.ended();
    const said = this.#said();
    const last = said.split("\n").at(-1) ?? "";
    if (!last.startsWith("{")) throw new LabError(`Cannot read the load's result: ${said}`);
    return JSON.parse(last) as LoadResult;
  }

  #said(): string {
    return readFileSync(this.#process.log, "utf8").trim();
  }
}

/** Returns: why the generator did not keep its rate. Undefined when it did. */
export function behind({ sent, unsent, lateMs }: LoadResult): string | undefined {
  if (unsent > 0) return `${unsent} of ${sent + unsent} requests were not sent`;
  return lateMs > lateMsMax ? `a request was sent ${lateMs.toFixed(0)} ms late` : undefined;
}
