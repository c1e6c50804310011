/**
 * Fake engine server: an HTTP server on a Unix socket that gives the answers that a test sets, and records
 * the calls.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

export interface HeardCall {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

type Answer = (call: IncomingMessage, answer: ServerResponse) => void;
type Upgrade = (call: IncomingMessage, socket: Duplex, head: Buffer) => void;

export class FakeEngineServer {
  readonly calls: HeardCall[] = [];
  readonly #answers = new Map<string, Answer>();
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  #all: Answer | undefined;
  upgrade: Upgrade | undefined;

  private constructor(apiVersion: string) {
    this.on("HEAD /_ping", (_call, answer) => answer.setHeader("Api-Version", apiVersion).end());
    this.on("GET /version", (_call, answer) =>
      json(answer, { Version: "20.10.24", ApiVersion: apiVersion, Os: "linux", Arch: "amd64" }),
    );
    this.on("GET /info", (_call, answer) =>
      json(answer, {
        ID: "E",
        Name: "host1",
        ServerVersion: "20.10.24",
        Driver: "overlay2",
        OSType: "linux",
      }),
    );
    this.on("GET /networks", (_call, answer) => json(answer, []));
    this.#server = createServer((call, answer) => {
      this.#note(call);
      if (this.#all !== undefined) return this.#all(call, answer);
      const path = (call.url ?? "").replace(/^\/v[\d.]+/, "").split("?")[0];
      const known = this.#answers.get(`${call.method} ${path}`);
      if (known !== undefined) return known(call, answer);
      answer.statusCode = 404;
      json(answer, { message: "page not found" });
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("upgrade", (call, socket, head) => {
      this.#note(call);
      if (this.upgrade === undefined) return void socket.destroy();
      this.upgrade(call, socket, head);
    });
  }

  static async listen(socketPath: string, apiVersion = "1.41"): Promise<FakeEngineServer> {
    const engine = new FakeEngineServer(apiVersion);
    await new Promise<void>((settle) => engine.#server.listen(socketPath, settle));
    return engine;
  }

  /** `route` is a method and a path without version. */
  on(route: string, answer: Answer): void {
    this.#answers.set(route, answer);
  }

  /** From now on this handler answers every call. */
  onAll(answer: Answer): void {
    this.#all = answer;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((settle) => this.#server.close(() => settle()));
  }

  #note({ method = "", url = "", headers }: IncomingMessage): void {
    this.calls.push({ method, url, headers });
  }
}

export function json(answer: ServerResponse, body: unknown): void {
  answer.setHeader("Content-Type", "application/json");
  answer.end(JSON.stringify(body));
}
