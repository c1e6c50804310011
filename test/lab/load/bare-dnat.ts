/**
 * BareDnat: an echo server on a host behind a single DNAT rule, without gam. Its figures are what the machine
 * itself can carry, to compare gam's networks with.
 */
import type { Background } from "../hosts/background.ts";
import type { Host } from "../hosts/host.ts";
import { startEcho } from "./echo.ts";
import { mustRun } from "./must-run.ts";

const port = 18_099;
const serverPort = 19_099;
const table = "labbare";

export class BareDnat {
  readonly url: string;
  readonly #host: Host;
  readonly #server: Background;

  private constructor(host: Host, server: Background) {
    this.url = `http://${host.address}:${port}/`;
    this.#host = host;
    this.#server = server;
  }

  /** Resolves when it answers other hosts. Errors: LabError. */
  static async open(host: Host): Promise<BareDnat> {
    const server = await startEcho(host, "bare", serverPort);
    await mustRun(
      host,
      ["nft", "-f", "-"],
      `table ip ${table} {
  chain before {
    type nat hook prerouting priority dstnat;
    ip daddr ${host.address} tcp dport ${port} dnat to ${host.address}:${serverPort}
  }
}
`,
    );
    return new BareDnat(host, server);
  }

  /** Removes all of it from the host. */
  async close(): Promise<void> {
    this.#server.kill("SIGKILL");
    await this.#server.ended();
    await mustRun(this.#host, ["nft", "-f", "-"], `delete table ip ${table}\n`);
  }
}
