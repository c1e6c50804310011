/**
 * Engine: calls the local Docker engine through its socket.
 *
 * Decides how long calls may take, and caches the engine's API version for a short time. Does not decide which
 * calls the engine gets: the server passes on what it does not answer itself.
 */
import type { RequestOptions } from "node:http";
import { GamError, messageOf } from "@gam/core";
import { type EngineAnswer, type EngineCall, EngineClient, EngineUnreachable } from "@gam/engine";
import { forEngine } from "../request/api-version.ts";
import { type Fields, fieldsOf } from "../request/fields.ts";
import type { CallTarget, SmallAnswer } from "./call-target.ts";

const askMsMax = 10_000;
/** A loaded engine may take long to create a container. */
const orderMsMax = 120_000;
const pingMsMax = 2_000;
/** The cached version is asked again after this time, so an engine upgrade is noticed. */
const versionMs = 10_000;
/** An engine that did not answer is asked again after this time. */
const retryMs = 500;

export class Engine implements CallTarget {
  readonly #client: EngineClient;
  #version: string | undefined;
  #asking: Promise<void> | undefined;
  #askedAtMs = 0;

  constructor(socketPath: string) {
    this.#client = new EngineClient(socketPath);
  }

  get socketPath(): string {
    return this.#client.socketPath;
  }

  async pathOf(url: string): Promise<string> {
    return forEngine(url, await this.version());
  }

  /** As EngineClient.options(). */
  options(method: string, path: string, headers: readonly string[]): RequestOptions {
    return this.#client.options(method, path, headers);
  }

  /**
   * Sends a small read request with a small answer.
   *
   * Errors: GamError ENGINE_MISSING if the engine does not answer.
   */
  async ask(method: "GET" | "HEAD", path: string, limitMs = askMsMax): Promise<EngineAnswer> {
    return await this.#call({ method, path, limitMs });
  }

  /**
   * Sends a request that changes something. Without `body` it has none.
   *
   * Errors: GamError ENGINE_MISSING if the engine does not answer.
   */
  async order(method: "POST" | "DELETE", path: string, body?: Fields): Promise<EngineAnswer> {
    return await this.#call({ method, path, ...(body && { body }), limitMs: orderMsMax });
  }

  async #call(call: EngineCall): Promise<EngineAnswer> {
    try {
      return await this.#client.ask(call);
    } catch (thrown) {
      if (!(thrown instanceof EngineUnreachable)) throw thrown;
      throw this.missing(thrown);
    }
  }

  /**
   * Returns: the newest API version that the engine speaks; `undefined` before it has ever answered. The cached
   * version stays valid while the engine is gone, and is refreshed in the background.
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
    const found = cause instanceof EngineUnreachable ? cause.found : messageOf(cause);
    const message = `Cannot reach the Docker engine at ${this.socketPath}: ${found}`;
    return new GamError("ENGINE_MISSING", message, { cause });
  }
}

/** For catch(): turns ENGINE_MISSING into undefined, and throws any other error again. */
export function missing(thrown: unknown): undefined {
  if (thrown instanceof GamError && thrown.code === "ENGINE_MISSING") return undefined;
  throw thrown;
}

/** Returns: the engine's message about a refused call. */
export function messageIn({ status, body }: SmallAnswer): string {
  const { message } = fieldsOf(body);
  return typeof message === "string" ? message : `engine answered ${status}`;
}
