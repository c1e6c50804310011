/**
 * Engine client: single calls to the Docker engine over its socket, each in bounded time.
 *
 * Decides the API version (the lower of ours and the engine's) and how answers and failures are told
 * apart. Does not decide what to call, nor what to do about a failure.
 */
import type { IncomingHttpHeaders, IncomingMessage, RequestOptions } from "node:http";
import { connect } from "node:net";
import type { Readable } from "node:stream";
import { check, jsonOr, messageOf, rethrowInvariant } from "@gam/core";
import Dockerode from "dockerode";

/** The engine answered, and the answer is no. `message` is the engine's own. */
export class EngineRefusal extends Error {
  override readonly name = "EngineRefusal";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The engine could not be asked, or did not answer in time. */
export class EngineUnreachable extends Error {
  override readonly name = "EngineUnreachable";
  /** What was found, without what could not be done. */
  readonly found: string;

  /** `what` could not be done: "Cannot reach engine". */
  constructor(what: string, found: string, options?: ErrorOptions) {
    super(`${what}: ${found}`, options);
    this.found = found;
  }
}

/** Whether the client threw it for the engine. */
export function isEngineError(thrown: unknown): thrown is EngineRefusal | EngineUnreachable {
  return thrown instanceof EngineRefusal || thrown instanceof EngineUnreachable;
}

export interface EngineCall {
  readonly method: "GET" | "HEAD" | "POST" | "DELETE";
  /** May have a query of its own, instead of `query`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: Readonly<Record<string, unknown>>;
  /** base64url, as clients send it. */
  readonly registryAuth?: string;
  /** Until the whole answer is there; for streams, until it begins. */
  readonly limitMs: number;
}

/** Whatever the engine says to a call, a refusal included. */
export interface EngineAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Parsed JSON; the text itself where it is none. */
  readonly body: unknown;
}

const oldestVersion = "1.41";
/** Of this version everything is known to mean what is written here. */
const newestVersion = "1.44";
const accepted: Statuses = { 200: true, 201: true, 204: true, 304: true };
const every: Statuses = Object.fromEntries(
  Array.from({ length: 500 }, (_, at) => [at + 100, true]),
);
const answerBytesMax = 64 * 1024 * 1024;

const checkVersion = check.object({ ApiVersion: check.optional(check.string(64)) });

/** A longer timer would fire at once. Grace periods may be longer. */
const timerMsMax = 2 ** 31 - 1;

type Statuses = Readonly<Record<number, true>>;

interface Dialled {
  readonly statusCode?: number;
}

export class EngineClient {
  readonly socketPath: string;
  readonly #docker: Dockerode;
  /** What is under way, with what cuts it off when it takes too long. */
  readonly #flying = new Map<AbortController, NodeJS.Timeout>();
  #prefix = "";

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    // Neither DOCKER_HOST nor a docker context may send us elsewhere. There is no agent on purpose:
    // docker-modem prints the options of every request, and an agent holds every socket.
    this.#docker = new Dockerode({ socketPath, protocol: "http", host: undefined, timeout: 0 });
  }

  /**
   * Asks for the engine's version and speaks that from now on.
   *
   * Errors: EngineUnreachable, also for an engine that is too old; GamError BAD_FRAME for an answer that is none.
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

  /** Shape: the decoded answer. Errors: EngineRefusal, EngineUnreachable. */
  async call(call: EngineCall): Promise<unknown> {
    const controller = this.#begin(call.limitMs);
    try {
      return await this.#dial(call, controller, { prefix: this.#prefix, statuses: accepted });
    } finally {
      this.#end(controller);
    }
  }

  /**
   * Shape: the answer as it comes. It ends with an error when `close` or the signal cuts it off.
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
   * One call and its whole answer, whichever it is. The path is taken as it is, with the version that
   * stands in it. Errors: EngineUnreachable.
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

  /** What http.request() needs to speak to the engine on a connection of its own, byte for byte. */
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

  close(): void {
    for (const controller of this.#flying.keys()) controller.abort();
  }

  #begin(limitMs: number): AbortController {
    const controller = new AbortController();
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
    const { registryAuth } = call;
    const options = {
      // docker-modem puts the query behind the last character, or cuts that off.
      path: `${how.prefix}${call.path}${call.path.includes("?") ? "" : "?"}`,
      method: call.method,
      options: { _query: call.query ?? {}, _body: call.body ?? {} },
      // Without it docker-modem sends no body that is empty.
      allowEmpty: call.body !== undefined,
      statusCodes: how.statuses,
      isStream: how.isStream === true,
      abortSignal: controller.signal,
      ...(registryAuth && { authconfig: { base64: registryAuth } }),
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
