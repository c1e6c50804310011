/** resolv.conf: finds the name servers that this host asks. Reads the file again when it has changed. */
import { readFile, stat } from "node:fs/promises";
import { isIP } from "node:net";
import { rethrowInvariant } from "@gam/core";
import type { Upstream } from "./ask-upstream.ts";

/** The C library's limit. Source: resolv.conf(5), MAXNS. */
const serversMax = 3;
const port = 53;
/** Checking the file for every query would cost more than the query. */
const lookAgainMs = 1_000;

/** Ignores lines that name no server, or a server without an IP address. Source: resolv.conf(5). */
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

  /** Returns: an empty list when there is no file or no server in it. Never rejects. */
  async servers(): Promise<readonly Upstream[]> {
    const nowMs = performance.now();
    if (nowMs - this.#lookedMs >= lookAgainMs) {
      this.#lookedMs = nowMs;
      this.#looking = this.#look();
    }
    // Calls during the first read wait for it: otherwise they would get an empty list.
    await this.#looking;
    return this.#servers;
  }

  async #look(): Promise<void> {
    try {
      // Compares the inode too: the file is replaced by renaming more often than it is written.
      const { mtimeMs, ino, size } = await stat(this.#path);
      const seen = `${mtimeMs} ${ino} ${size}`;
      if (seen === this.#seen) return;
      this.#servers = readResolvConf(await readFile(this.#path, "utf8"));
      this.#seen = seen;
    } catch (thrown) {
      rethrowInvariant(thrown);
      // The file is missing or just being written: the last known servers stay until it can be read.
    }
  }
}
