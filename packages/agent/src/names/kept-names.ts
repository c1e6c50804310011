/**
 * Kept names: the last names of this host's networks, in memory that outlives the agent.
 *
 * A locked manager cannot read its state, but its containers run on and ask this host for names. So while managers
 * are locked when they start, the agent keeps its last DNS plan in a file beside its socket. There is nothing in it
 * that this host's containers may not ask for, and it is written to memory only: a disk of a locked manager must say
 * nothing of the cluster. After a reboot of the host it is gone, like the containers.
 */
import { readFile, rm, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { check, hasCode, jsonOr, messageOf, type NetworkId, rethrowInvariant } from "@gam/core";
import { replaceFile } from "@gam/files";
import type { DnsPlan } from "@gam/network";

/** What `statfs` says of a tmpfs. */
const tmpfsType = 0x01021994;
const version = 1;
const entriesMax = 1_000_000;
const text = check.string(1024);
const texts = check.list(text, 65_536);
const pairs = <T>(value: check.Check<T>): check.Check<Record<string, T>> =>
  check.map(value, entriesMax);
const checkFile = check.object({
  version: check.literal(version),
  zones: check.list(
    check.object({
      ...{ network: check.id<NetworkId>(), name: text, internal: check.boolean },
      ...{ gateway: text, subnet: text, names: pairs(texts), reverse: pairs(text) },
    }),
    65_536,
  ),
  clients: pairs(check.list(check.id<NetworkId>(), 65_536)),
  confined: texts,
  upstreams: pairs(texts),
});

export interface NamesLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

export interface NamesPlace {
  /** The agent's socket. */
  readonly socket: string;
}

export class KeptNames {
  readonly #path: string;
  readonly #log: NamesLog;
  #next: DnsPlan | undefined;
  #writing: Promise<void> | undefined;

  constructor({ socket }: NamesPlace, log: NamesLog) {
    this.#path = join(dirname(socket), "gam-names.json");
    this.#log = log;
  }

  /** Keeps the plan, unless a later one comes before it is written. */
  keep(plan: DnsPlan): void {
    this.#next = plan;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when the file has what keep() got so far. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** Deletes what is kept. Errors: those of the file system. */
  async forget(): Promise<void> {
    this.#next = undefined;
    await this.#writing;
    await rm(this.#path, { force: true });
  }

  /** Resolves to the plan that was kept last; `undefined` if there is none that can be used. */
  async read(): Promise<DnsPlan | undefined> {
    try {
      const { zones, clients, confined, upstreams } = checkFile(
        jsonOr(await readFile(this.#path, "utf8"), undefined),
        "names",
      );
      return {
        zones: zones.map((zone) => ({
          ...zone,
          names: new Map(Object.entries(zone.names)),
          reverse: new Map(Object.entries(zone.reverse)),
        })),
        clients: new Map(Object.entries(clients)),
        confined: new Set(confined),
        upstreams: new Map(Object.entries(upstreams)),
      };
    } catch (thrown) {
      rethrowInvariant(thrown);
      if (!hasCode(thrown, "ENOENT"))
        this.#log.warn({ reason: messageOf(thrown) }, "Could not read the names of the last start");
      return undefined;
    }
  }

  async #writeAll(): Promise<void> {
    for (let plan = this.#next; plan !== undefined; plan = this.#next) {
      this.#next = undefined;
      try {
        await this.#write(plan);
      } catch (thrown) {
        rethrowInvariant(thrown);
        this.#log.warn({ reason: messageOf(thrown) }, "Could not keep names for a locked start");
      }
    }
  }

  async #write({ zones, clients, confined, upstreams = new Map() }: DnsPlan): Promise<void> {
    if ((await statfs(dirname(this.#path))).type !== tmpfsType) return;
    const content = {
      version,
      zones: zones.map((zone) => ({
        ...zone,
        names: Object.fromEntries(zone.names),
        reverse: Object.fromEntries(zone.reverse),
      })),
      clients: Object.fromEntries(clients),
      confined: [...confined],
      upstreams: Object.fromEntries(upstreams),
    };
    await replaceFile(this.#path, JSON.stringify(content));
  }
}
