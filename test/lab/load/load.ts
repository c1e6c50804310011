/**
 * Load: requests from a host at echo servers, each with a new connection, counted.
 *
 *   const load = await Load.start(lab.host(5), { urls, perSecond: 500 });
 *   ... something happens ...
 *   load.end();
 *   const { failures } = await load.result();
 *
 * The generator (load-generator.ts) runs in the host, so that what it asks sees the host's address.
 */
import { readFileSync, rmSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Background } from "../hosts/background.ts";
import type { Host } from "../hosts/host.ts";
import { LabError } from "../hosts/lab-error.ts";

export type LoadOptions = (Rate | ClosedLoop) & { readonly urls: readonly string[] };

/** Open loop: a request is sent when it is due, whether others are answered or not. */
export interface Rate {
  readonly perSecond: number;
  /** A request that has no answer by then is a failure; 20 s where nothing is said. */
  readonly answerMsMax?: number;
}

/** So many at once, the next one when one is answered; until `count` or `forMs` is reached. */
export interface ClosedLoop {
  readonly atOnce: number;
  readonly count?: number;
  readonly forMs?: number;
  readonly answerMsMax?: number;
}

export interface LoadResult {
  readonly sent: number;
  readonly answered: number;
  /** Due by the rate, and not sent because too many had no answer yet. */
  readonly unsent: number;
  /** The longest time from when a request was due until it was sent. */
  readonly lateMs: number;
  /** Reason to how often. */
  readonly failures: Readonly<Record<string, number>>;
  /** Host name of the server that answered to how often. */
  readonly servers: Readonly<Record<string, number>>;
  readonly lastedMs: number;
  /** Of those that were answered. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What the generator says when a load by rate has had a second's worth of answers. */
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

  /** `inside` is the number of a process of the host in whose network it is to run: a container's. */
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

  /** Ends a load that goes on by rate. Its result comes when the requests that are out have ended. */
  end(): void {
    this.#process.kill("SIGTERM");
  }

  /** Resolves when it has ended. Errors: LabError with what it said, when that is no result. */
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
