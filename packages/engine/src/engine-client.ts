/**
 * Engine client: single calls to the Docker engine over its socket, each in bounded time.
 *
 * Decides the API version (the lower of ours and the engine's), and what counts as an answer or a failure.
 * Does not decide what to call, nor what to do about a failure.
 */
import type { IncomingHttpHeaders, IncomingMessage, RequestOptions } from "node:http";
import { connect } from "node:net";
import type { Readable } from "node:stream";
import { inspect } from "node:util";
import { check, jsonOr, messageOf, rethrowInvariant } from "@gam/core";
import Dockerode from "dockerode";

/** The engine refused the call. `message` is the engine's own. */
export class EngineRefusal extends Error {
  override readonly name = "EngineRefusal";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The engine could not be reached, or did not answer in time. */
export class EngineUnreachable extends Error {
  override readonly name = "EngineUnreachable";
  /** The second half of the message: what was found. */
  readonly found: string;

  /** `what`: the first half of the message, such as "Cannot reach engine". */
  constructor(what: string, found: string, options?: ErrorOptions) {
    super(`${what}: ${found}`, options);
    this.found = found;
  }
}

/** Whether it is one of the two errors of this client. */
export function isEngineError(thrown: unknown): thrown is EngineRefusal | EngineUnreachable {
  return thrown instanceof EngineRefusal || thrown instanceof EngineUnreachable;
}

export interface EngineCall {
  readonly method: "GET" | "HEAD" | "POST" | "DELETE";
  /** May include a query, instead of `query`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: Readonly<Record<string, unknown>>;
  /** base64url, as clients send it. */
  readonly registryAuth?: string;
  /** A tar that is sent as the body. */
  readonly upload?: Readable;
  /** The longest time until the whole answer; for streams, until it begins. */
  readonly limitMs: number;
}

/** The engine's answer to a call, even a refusal. */
export interface EngineAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Parsed JSON, or the text itself if it is no JSON. */
  readonly body: unknown;
}

const oldestVersion = "1.41";
/** The newest version whose meaning this code knows. */
const newestVersion = "1.44";
const accepted: Statuses = { 200: true, 201: true, 204: true, 304: true };
const every: Statuses = Object.fromEntries(
  Array.from({ length: 500 }, (_, at) => [at + 100, true]),
);
const answerBytesMax = 64 * 1024 * 1024;

const checkVersion = check.object({ ApiVersion: check.optional(check.string(64)) });

/** A longer timer would fire at once, and grace periods may be longer. */
const timerMsMax = 2 ** 31 - 1;

type Statuses = Readonly<Record<number, true>>;

interface Dialled {
  readonly statusCode?: number;
}

export class EngineClient {
  readonly socketPath: string;
  readonly #docker: Dockerode;
  /** The calls in flight, each with its timeout. */
  readonly #flying = new Map<AbortController, NodeJS.Timeout>();
  #prefix = "";

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    // Set explicitly, so that neither DOCKER_HOST nor a docker context can redirect us. Without an HTTP agent,
    // because docker-modem prints the options of every request, and an agent holds every socket.
    this.#docker = new Dockerode({ socketPath, protocol: "http", host: undefined, timeout: 0 });
  }

  /**
   * Asks for the engine's version, and uses the lower of it and ours from now on.
   *
   * Errors: EngineUnreachable, also for an engine that is too old; GamError BAD_FRAME for a malformed answer.
   */
  async negotiate(limitMs: number): Promise<void> {
    this.#prefix = "";
    const answer = await this.call({ method: "GET", path: "/version", limitMs });
    const theirs = checkVersion(answer, "version").ApiVersion ?? "0.0";
    if (isOlder(theirs, oldestVersion)) {
      throw new EngineUnreachable(
        "Cannot use engine",
        `it speaks API ${theirs}, gam needs ${oldestVersion} or later`,
      );
    }
    this.#prefix = `/v${isOlder(theirs, newestVersion) ? theirs : newestVersion}`;
  }

  /** Returns: the decoded answer. Errors: EngineRefusal, EngineUnreachable. */
  async call(call: EngineCall): Promise<unknown> {
    const controller = this.#begin(call.limitMs);
    try {
      return await this.#dial(call, controller, { prefix: this.#prefix, statuses: accepted });
    } finally {
      this.#end(controller);
    }
  }

  /**
   * Returns: the answer as a stream. It ends with an error when close() cuts it off.
   * Errors: EngineRefusal, EngineUnreachable.
   */
  async stream(call: EngineCall): Promise<Readable> {
    const controller = this.#begin(call.limitMs);
    try {
      const stream = await this.#open(call, controller, {
        prefix: this.#prefix,
        statuses: accepted,
      });
      clearTimeout(this.#flying.get(controller));
      stream.once("close", () => this.#end(controller));
      return stream;
    } catch (thrown) {
      this.#end(controller);
      throw thrown;
    }
  }

  /**
   * Returns: the whole answer to one call, even a refusal. The path is used unchanged, with its version.
   * Errors: EngineUnreachable.
   */
  async ask(call: EngineCall): Promise<EngineAnswer> {
    const controller = this.#begin(call.limitMs);
    try {
      const response = await this.#open(call, controller, { prefix: "", statuses: every });
      const body = await collect(response);
      return { status: response.statusCode ?? 0, headers: response.headers, body };
    } catch (thrown) {
      if (isEngineError(thrown)) throw thrown;
      rethrowInvariant(thrown);
      throw failure(thrown, controller.signal);
    } finally {
      this.#end(controller);
    }
  }

  /** Returns: options for http.request() to reach the engine on a new connection, with unchanged headers. */
  options(method: string, path: string, headers: readonly string[]): RequestOptions {
    return {
      method,
      path,
      headers,
      setDefaultHeaders: false,
      // Instead of an agent. The engine may end its half while the client still sends.
      createConnection: () => connect({ path: this.socketPath, allowHalfOpen: true }),
    };
  }

  close(): void {
    for (const controller of this.#flying.keys()) controller.abort();
  }

  #begin(limitMs: number): AbortController {
    const controller = new AbortController();
    // docker-modem prints a request's options even when nobody reads that, and a signal has many hidden fields.
    Object.defineProperty(controller.signal, inspect.custom, { value: () => "signal" });
    const seconds = Math.round(limitMs / 1000);
    const late = new EngineUnreachable("Cannot wait for engine", `no answer within ${seconds} s`);
    const timer = setTimeout(() => controller.abort(late), Math.min(limitMs, timerMsMax));
    this.#flying.set(controller, timer);
    return controller;
  }

  #end(controller: AbortController): void {
    clearTimeout(this.#flying.get(controller));
    this.#flying.delete(controller);
  }

  async #open(
    call: EngineCall,
    controller: AbortController,
    how: { readonly prefix: string; readonly statuses: Statuses },
  ): Promise<IncomingMessage> {
    return (await this.#dial(call, controller, { ...how, isStream: true })) as IncomingMessage;
  }

  #dial(
    call: EngineCall,
    controller: AbortController,
    how: { readonly prefix: string; readonly statuses: Statuses; readonly isStream?: true },
  ): Promise<unknown> {
    const { registryAuth, upload } = call;
    upload?.once("error", (error) => {
      controller.abort(new EngineUnreachable("Cannot send to engine", messageOf(error)));
    });
    const options = {
      // docker-modem appends the query only to a path that contains a "?".
      path: `${how.prefix}${call.path}${call.path.includes("?") ? "" : "?"}`,
      method: call.method,
      options: { _query: call.query ?? {}, _body: call.body ?? {} },
      // Without it docker-modem does not send an empty body.
      allowEmpty: call.body !== undefined,
      statusCodes: how.statuses,
      isStream: how.isStream === true,
      abortSignal: controller.signal,
      ...(registryAuth && { authconfig: { base64: registryAuth } }),
      ...(upload && { file: upload }),
    };
    return new Promise((resolve, reject) => {
      this.#docker.modem.dial(options, (thrown: unknown, answer: unknown) => {
        if (!thrown) return resolve(answer);
        reject(failure(thrown, controller.signal));
      });
    });
  }
}

function failure(thrown: unknown, signal: AbortSignal): Error {
  if (signal.aborted && signal.reason instanceof EngineUnreachable) return signal.reason;
  const { statusCode } = thrown as Dialled;
  if (statusCode === undefined) {
    return new EngineUnreachable("Cannot reach engine", messageOf(thrown), { cause: thrown });
  }
  const message = messageOf(thrown).replace(/^\(HTTP code \d+\) unexpected - /, "");
  return new EngineRefusal(statusCode, message.trim());
}

async function collect(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) {
      throw new EngineUnreachable("Cannot read answer", `it is over ${answerBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  return jsonOr(text, text);
}

function isOlder(a: string, b: string): boolean {
  const [majorA = 0, minorA = 0] = a.split(".").map(Number);
  const [majorB = 0, minorB = 0] = b.split(".").map(Number);
  return majorA < majorB || (majorA === majorB && minorA < minorB);
}
