/** resolv.conf: which name servers this host asks. Read again when the file is another one. */
import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";
import { rethrowInvariant } from "@gam/core";
import type { Upstream } from "./ask-upstream.ts";

/** As the C library does (resolv.conf(5), MAXNS). */
const serversMax = 3;
const port = 53;
/** To look at the file for every name would cost more than the name. */
const lookAgainMs = 1_000;

/** Source: resolv.conf(5). Lines that say nothing of servers, or no address, are passed over. */
export function readResolvConf(text: string): Upstream[] {
  const servers = text.split("\n").flatMap((line) => {
    const address = /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
    return address === undefined || isIP(address) === 0 ? [] : [{ address, port }];
  });
  return servers.slice(0, serversMax);
}

export class ResolvConf {
  readonly #path: string;
  #servers: readonly Upstream[] = [];
  #seen = "";
  #looking: Promise<void> | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(path = "/etc/resolv.conf") {
    this.#path = path;
  }

  /** Shape: none when there is no file, or none in it. Never rejects. */
  async servers(): Promise<readonly Upstream[]> {
    const nowMs = performance.now();
    if (nowMs - this.#lookedMs >= lookAgainMs) {
      this.#lookedMs = nowMs;
      this.#looking = this.#look();
    }
    // Those who come while it is being read for the first time must not be told that there is none.
    await this.#looking;
    return this.#servers;
  }

  async #look(): Promise<void> {
    try {
      // The inode: it is replaced by renaming more often than it is written.
      const { mtimeMs, ino, size } = await stat(this.#path);
      const seen = `${mtimeMs} ${ino} ${size}`;
      if (seen === this.#seen) return;
      this.#servers = readResolvConf(await readFile(this.#path, "utf8"));
      this.#seen = seen;
    } catch (thrown) {
      rethrowInvariant(thrown);
      // A host without the file, or that is just writing it: what was known holds until it is there.
    }
  }
}
