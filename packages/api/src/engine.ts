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
import { GamError, jsonOr, messageOf, rethrowInvariant } from "@gam/core";
import { fieldsOf } from "./fields.ts";

export interface EngineAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Parsed JSON; the text itself where it is none. */
  readonly body: unknown;
}

const askMsMax = 10_000;
/** An engine under load takes its time to make a container. */
const orderMsMax = 120_000;
const askBytesMax = 64 * 1024 * 1024;
const pingMsMax = 2_000;
/** An engine that was upgraded is noticed after this long. */
const versionMs = 10_000;
/** One that was missing is asked again after this long. */
const retryMs = 500;

export class Engine {
  readonly socketPath: string;
  #version: string | undefined;
  #asking: Promise<void> | undefined;
  #askedAtMs = 0;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** What http.request() needs to speak to the engine on a connection of its own. */
  options(method: string, path: string, headers: readonly string[]): RequestOptions {
    return {
      method,
      path,
      headers,
      setDefaultHeaders: false,
      // Instead of an agent. The engine's half may end while the client's input still goes on.
      createConnection: () => connect({ path: this.socketPath, allowHalfOpen: true }),
    };
  }

  /**
   * One small question with a small answer.
   *
   * Errors: GamError ENGINE_MISSING when nobody answers.
   */
  async ask(method: "GET" | "HEAD", path: string, msMax = askMsMax): Promise<EngineAnswer> {
    return await this.#call(method, path, { msMax });
  }

  /**
   * One order, and what came of it. What has no body to send sends none.
   *
   * Errors: GamError ENGINE_MISSING when nobody answers.
   */
  async order(method: "POST" | "DELETE", path: string, body?: unknown): Promise<EngineAnswer> {
    const text = body === undefined ? "" : JSON.stringify(body);
    return await this.#call(method, path, { msMax: orderMsMax, text });
  }

  async #call(
    method: string,
    path: string,
    { msMax, text }: { readonly msMax: number; readonly text?: string },
  ): Promise<EngineAnswer> {
    const headers = ["Host", "docker", "Connection", "close"];
    if (text !== undefined) headers.push("Content-Length", String(Buffer.byteLength(text)));
    if (text) headers.push("Content-Type", "application/json");
    try {
      return await new Promise((settle, fail) => {
        const call = request(this.options(method, path, headers));
        call.setTimeout(msMax, () => call.destroy(new Error("no answer in time")));
        call.on("error", fail);
        call.on("response", (response) => collect(response).then(settle, fail));
        call.end(text);
      });
    } catch (thrown) {
      rethrowInvariant(thrown);
      throw this.missing(thrown);
    }
  }

  /**
   * The newest API version that the engine speaks; `undefined` before it has ever answered. What it
   * said last holds while it is gone, and is asked for again behind the back of whoever calls.
   */
  async version(): Promise<string | undefined> {
    const validMs = this.#version === undefined ? retryMs : versionMs;
    if (this.#asking === undefined || performance.now() - this.#askedAtMs > validMs) {
      this.#askedAtMs = performance.now();
      this.#asking = this.#learnVersion();
    }
    if (this.#version === undefined) await this.#asking;
    return this.#version;
  }

  async #learnVersion(): Promise<void> {
    try {
      const { headers } = await this.ask("HEAD", "/_ping", pingMsMax);
      const value = headers["api-version"];
      if (typeof value === "string" && /^\d+\.\d+$/.test(value)) this.#version = value;
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
    }
  }

  missing(cause: unknown): GamError {
    const message = `Cannot reach the Docker engine at ${this.socketPath}: ${messageOf(cause)}`;
    return new GamError("ENGINE_MISSING", message, { cause });
  }
}

/** For catch(): no engine is no answer. Anything else is thrown on. */
export function missing(thrown: unknown): undefined {
  if (thrown instanceof GamError && thrown.code === "ENGINE_MISSING") return undefined;
  throw thrown;
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
  return { status: response.statusCode ?? 0, headers: response.headers, body: jsonOr(text, text) };
}

/** What the engine says of a call that it refused. */
export function messageIn({ status, body }: EngineAnswer): string {
  const { message } = fieldsOf(body);
  return typeof message === "string" ? message : `engine answered ${status}`;
}
