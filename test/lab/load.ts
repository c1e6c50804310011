/**
 * Load: requests from a host at echo servers, each with a new connection, counted.
 *
 *   const load = await Load.start(lab.host(5), { urls, perSecond: 500 });
 *   ... something happens ...
 *   const { failures } = await load.stop();
 *
 * The generator (load-generator.ts) runs in the host, so that what it asks sees the host's address.
 */
import { readFileSync, rmSync } from "node:fs";
import type { Background } from "./background.ts";
import { type Host, LabError } from "./lab.ts";

export type LoadOptions =
  | { readonly urls: readonly string[]; readonly perSecond: number }
  | { readonly urls: readonly string[]; readonly count: number; readonly atOnce: number };

export interface LoadResult {
  readonly sent: number;
  readonly answered: number;
  /** Reason to how often. */
  readonly failures: Readonly<Record<string, number>>;
  /** Host name of who answered to how often. */
  readonly servers: Readonly<Record<string, number>>;
  readonly lastedMs: number;
  /** Of those that were answered. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

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

  /** Ends a load that goes on by rate. */
  async stop(): Promise<LoadResult> {
    this.#process.kill("SIGTERM");
    return this.result();
  }

  /** Resolves when it has ended. Errors: LabError with what it said, when that is no result. */
  async result(): Promise<LoadResult> {
    await this.#process.ended();
    const said = readFileSync(this.#process.log, "utf8").trim();
    const last = said.split("\n").at(-1) ?? "";
    if (!last.startsWith("{")) throw new LabError(`Cannot read the load's result: ${said}`);
    return JSON.parse(last) as LoadResult;
  }
}
