/**
 * Locked names: while this manager is locked, its containers go on resolving the names of the last plan.
 *
 * Answers are as old as the lock: a task that moved meanwhile is not found at its new address. The kernel's part of
 * the networks stays as it was, too.
 */
import { DnsServer } from "@gam/runtime";
import { KeptNames, type NamesLog, type NamesPlace } from "./kept-names.ts";

export class LockedNames {
  readonly #server: DnsServer;

  private constructor(server: DnsServer) {
    this.#server = server;
  }

  /** Resolves to names that are served until close(); `undefined` where none were kept. */
  static async serve(
    config: NamesPlace & { readonly networks: boolean },
    log: NamesLog,
  ): Promise<LockedNames | undefined> {
    const plan = config.networks ? await new KeptNames(config, log).read() : undefined;
    if (plan === undefined) return undefined;
    const server = new DnsServer({ log });
    server.serve(plan);
    return new LockedNames(server);
  }

  async close(): Promise<void> {
    await this.#server.close();
  }
}
