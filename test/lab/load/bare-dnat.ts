/**
 * BareDnat: an echo server on a host behind one DNAT rule of its own, with nothing of gam in between. What it
 * carries is the machine's share in what gam's networks carry.
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

  /** Resolves when it can be asked from other hosts. Errors: LabError. */
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

  /** Nothing of it is left on the host. */
  async close(): Promise<void> {
    this.#server.kill("SIGKILL");
    await this.#server.ended();
    await mustRun(this.#host, ["nft", "-f", "-"], `delete table ip ${table}\n`);
  }
}
