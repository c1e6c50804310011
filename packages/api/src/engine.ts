/**
 * Engine: the local Docker engine, seen through its socket.
 *
 * Decides how it is reached and what is remembered of it (its API version, for a short while). Does
 * not decide which calls it gets: the server passes on what it does not answer itself.
 */
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  request,
} from "node:http";
import { connect } from "node:net";
import { GamError, messageOf } from "@gam/core";

export interface EngineAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Parsed JSON; the text itself where it is none. */
  readonly body: unknown;
}

const askMsMax = 10_000;
const askBytesMax = 64 * 1024 * 1024;
/** An engine that was upgraded is noticed after this long. */
const versionMsMax = 10_000;

export class Engine {
  readonly socketPath: string;
  #version: { readonly value: string; readonly atMs: number } | undefined;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** What http.request() needs to speak to the engine on a connection of its own. */
  options(method: string, path: string, headers: readonly string[]): RequestOptions {
    return {
      method,
      path,
      headers,
      agent: false,
      setDefaultHeaders: false,
      // A container's standard input may end long before its output does.
      createConnection: () => connect({ path: this.socketPath, allowHalfOpen: true }),
    };
  }

  /**
   * One small question with a small answer.
   *
   * Errors: GamError ENGINE_MISSING when nobody answers.
   */
  async ask(method: "GET" | "HEAD", path: string): Promise<EngineAnswer> {
    try {
      return await new Promise((settle, fail) => {
        const call = request(this.options(method, path, ["Host", "docker", "Connection", "close"]));
        call.setTimeout(askMsMax, () => call.destroy(new Error("no answer in time")));
        call.on("error", fail);
        call.on("response", (response) => collect(response).then(settle, fail));
        call.end();
      });
    } catch (thrown) {
      throw this.missing(thrown);
    }
  }

  /** The newest API version that the engine speaks; `undefined` while nobody answers. */
  async version(): Promise<string | undefined> {
    const known = this.#version;
    if (known !== undefined && performance.now() - known.atMs < versionMsMax) return known.value;
    try {
      const { headers } = await this.ask("HEAD", "/_ping");
      const value = headers["api-version"];
      if (typeof value !== "string" || !/^\d+\.\d+$/.test(value)) return undefined;
      this.#version = { value, atMs: performance.now() };
      return value;
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      this.#version = undefined;
      return undefined;
    }
  }

  missing(cause: unknown): GamError {
    const message = `Cannot reach the Docker engine at ${this.socketPath}: ${messageOf(cause)}`;
    return new GamError("ENGINE_MISSING", message, { cause });
  }
}

async function collect(response: IncomingMessage): Promise<EngineAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > askBytesMax) throw new Error(`answer is over ${askBytesMax} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  return { status: response.statusCode ?? 0, headers: response.headers, body: jsonOr(text) };
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
