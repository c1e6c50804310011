/**
 * Container server: what other hosts may ask of this host's containers and volumes.
 *
 * Each stream of the mesh is one connection of HTTP/1.1. Decides, call by call, whether it is in the table of
 * container-call.ts or volume-call.ts, and passes it to the engine. Does not decide which peers may connect: the agent does, before
 * accept().
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { Engine } from "../engine/engine.ts";
import { mayUpgrade } from "../engine/engine-path.ts";
import { forward, ignoreUpgrade, passUpgrade, refuseCall } from "../engine/engine-proxy.ts";
import { ApiError } from "../request/api-error.ts";
import { forOtherHosts } from "./container-call.ts";
import { isVolumeCall } from "./volume-call.ts";

export class ContainerServer {
  readonly #engine: Engine;
  readonly #server: Server;
  readonly #streams = new Set<Duplex>();

  constructor(engineSocketPath: string) {
    this.#engine = new Engine(engineSocketPath);
    // Uploads have no time limit.
    this.#server = createServer({ requestTimeout: 0 }, (call, answer) => this.#pass(call, answer));
    this.#server.on("upgrade", (call, client, head) => {
      const url = forOtherHosts(call.method, call.url);
      if (url === undefined || !mayUpgrade(call.method, call.url)) {
        return ignoreUpgrade(this.#server, call, client, head);
      }
      void passUpgrade({ call, client, head }, () => ({ target: this.#engine, url }));
    });
    // The stream of a client that hung up fails within a call: no client reads an answer.
    this.#server.on("clientError", (_error, stream) => stream.destroy());
  }

  /** Takes a connection of a peer that may ask. */
  accept(stream: Duplex): void {
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
    this.#server.emit("connection", stream);
  }

  /** Ends all calls. */
  close(): void {
    for (const stream of this.#streams) stream.destroy();
    this.#server.close();
  }

  #pass(call: IncomingMessage, answer: ServerResponse): void {
    answer.on("error", () => undefined);
    const url = isVolumeCall(call.method, call.url)
      ? call.url
      : forOtherHosts(call.method, call.url);
    if (url !== undefined) return void forward({ call, answer, target: this.#engine }, { url });
    const found = `"${call.method} ${call.url}" is not about containers or volumes`;
    refuseCall(answer, new ApiError(403, `Cannot pass a call of another host: ${found}`));
  }
}
