/**
 * Remote host: the containers of another host, through the mesh. That host's ContainerServer answers.
 *
 * Decides nothing about which call goes there. Every call has its own stream of the mesh, so it has the stream's
 * back-pressure, and ends when either side hangs up or the host is lost.
 */
import type { RequestOptions } from "node:http";
import { GamError, jsonOr, messageOf, rethrowInvariant } from "@gam/core";
import type { Node } from "@gam/state";
import { hostnameOf } from "../answers/node-answer.ts";
import type { ClusterDoor } from "../door/door.ts";
import type { CallTarget, SmallAnswer } from "../engine/call-target.ts";
import { openStream, type Sent, textOfAnswer } from "../engine/open-stream.ts";
import type { Fields } from "../request/fields.ts";

const answerBytesMax = 64 * 1024 * 1024;
/** As long as an agent waits for its own engine. */
const askMsMax = 10_000;
/** As long as an agent waits for its own engine to change something. */
const orderMsMax = 120_000;

export class RemoteHost implements CallTarget {
  readonly id: Node["ID"];
  readonly name: string;
  readonly #door: Pick<ClusterDoor, "containersOf">;

  constructor(door: Pick<ClusterDoor, "containersOf">, node: Node) {
    this.#door = door;
    this.id = node.ID;
    this.name = hostnameOf(node);
  }

  /** That host translates the version itself. */
  async pathOf(url: string): Promise<string> {
    return url;
  }

  options(method: string, path: string, headers: readonly string[]): RequestOptions {
    return {
      method,
      path,
      headers,
      setDefaultHeaders: false,
      createConnection: (_options, done) => {
        this.#door.containersOf(this.id).then(
          (stream) => {
            // Refused meanwhile. http.request() would wait for its answer without end.
            done(stream.destroyed ? (stream.errored ?? new Error("it hung up")) : null, stream);
          },
          done as (thrown: Error) => void,
        );
        return undefined;
      },
    };
  }

  missing(cause: unknown): GamError {
    // The mesh names the node by its id, and the client knows its name.
    const found = messageOf(cause).replace(/^Cannot [^:]*: /, "");
    const message = `Cannot reach the containers of ${this.name}: ${found}`;
    return new GamError("UNREACHABLE", message, { cause });
  }

  /** Sends a small read request. Errors: GamError UNREACHABLE, also without an answer in time. */
  async ask(url: string, limitMs = askMsMax): Promise<SmallAnswer> {
    return await this.#send(url, limitMs, { method: "GET" });
  }

  /** Sends a request that may change something. Errors: as ask(). */
  async order(method: Sent["method"], url: string, body?: Fields): Promise<SmallAnswer> {
    return await this.#send(url, method === "GET" ? askMsMax : orderMsMax, { method, body });
  }

  async #send(url: string, limitMs: number, sent: Sent): Promise<SmallAnswer> {
    const signal = AbortSignal.timeout(limitMs);
    try {
      const response = await openStream(this, url, signal, sent);
      const text = await textOfAnswer(response, answerBytesMax);
      return { status: response.statusCode ?? 0, body: jsonOr(text, text) };
    } catch (thrown) {
      rethrowInvariant(thrown);
      if (signal.aborted) throw this.missing(new Error(`no answer within ${limitMs / 1000} s`));
      throw thrown instanceof GamError ? thrown : this.missing(thrown);
    }
  }
}
