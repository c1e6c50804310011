/**
 * Engine: the local Docker engine, seen through its socket.
 *
 * Decides how long calls may take and what is remembered of it (its API version, for a short while). Does
 * not decide which calls it gets: the server passes on what it does not answer itself.
 */
import type { RequestOptions } from "node:http";
import { GamError, messageOf } from "@gam/core";
import { type EngineAnswer, type EngineCall, EngineClient, EngineUnreachable } from "@gam/engine";
import { type Fields, fieldsOf } from "../request/fields.ts";

const askMsMax = 10_000;
/** An engine under load takes its time to make a container. */
const orderMsMax = 120_000;
const pingMsMax = 2_000;
/** An engine that was upgraded is noticed after this long. */
const versionMs = 10_000;
/** One that was missing is asked again after this long. */
const retryMs = 500;

export class Engine {
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

  /** As EngineClient.options(). */
  options(method: string, path: string, headers: readonly string[]): RequestOptions {
    return this.#client.options(method, path, headers);
  }

  /**
   * One small question with a small answer.
   *
   * Errors: GamError ENGINE_MISSING when nobody answers.
   */
  async ask(method: "GET" | "HEAD", path: string, limitMs = askMsMax): Promise<EngineAnswer> {
    return await this.#call({ method, path, limitMs });
  }

  /**
   * One order, and what came of it. What has no body to send sends none.
   *
   * Errors: GamError ENGINE_MISSING when nobody answers.
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
    const found = cause instanceof EngineUnreachable ? cause.found : messageOf(cause);
    const message = `Cannot reach the Docker engine at ${this.socketPath}: ${found}`;
    return new GamError("ENGINE_MISSING", message, { cause });
  }
}

/** For catch(): no engine is no answer. Anything else is thrown on. */
export function missing(thrown: unknown): undefined {
  if (thrown instanceof GamError && thrown.code === "ENGINE_MISSING") return undefined;
  throw thrown;
}

/** What the engine says of a call that it refused. */
export function messageIn({ status, body }: EngineAnswer): string {
  const { message } = fieldsOf(body);
  return typeof message === "string" ? message : `engine answered ${status}`;
}
