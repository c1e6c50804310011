/**
 * Cable: a TCP forwarder that can be pulled. While it is out, bytes wait and neither end gets an error, as with
 * a host that lost power or a switch that drops everything.
 */
import { connect, createServer, type Server, type Socket } from "node:net";

export class Cable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target = 0;
  #out = false;

  private constructor() {
    this.#server = createServer((near) => this.#join(near));
  }

  static async lay(): Promise<Cable> {
    const cable = new Cable();
    await new Promise<void>((resolve) => cable.#server.listen(0, "127.0.0.1", resolve));
    return cable;
  }

  /** `host:port` of the near end. */
  get address(): string {
    const bound = this.#server.address();
    return `127.0.0.1:${typeof bound === "object" ? bound?.port : 0}`;
  }

  plugIn(port: number): void {
    this.#target = port;
  }

  pull(): void {
    this.#out = true;
    for (const socket of this.#sockets) socket.pause();
  }

  mend(): void {
    this.#out = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async cut(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    const far = connect(this.#target, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on("data", (bytes) => to.write(bytes));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      if (this.#out) from.pause();
    }
  }
}
