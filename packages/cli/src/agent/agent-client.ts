/**
 * Agent client: HTTP to the agent's Unix socket. All commands use it.
 *
 * Errors: GamError UNREACHABLE where no agent answers; NOT_FOUND and REFUSED, with the agent's message, where
 * the agent refuses.
 */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { GamError, jsonOr, messageOf, rethrowInvariant } from "@gam/core";

/** Longer than any election takes: an agent that is silent for so long does not answer at all. */
const answerMsMax = 60_000;
/** A join tries each of three addresses for 20 s, and waits for the cluster for 50 s more. */
const changeMsMax = 150_000;

export type Method = "GET" | "POST" | "DELETE";

export interface AgentResponse {
  readonly status: number;
  /** Parsed JSON; the plain text where the body is not JSON. */
  readonly body: unknown;
}

export interface Sending {
  readonly method: Method;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export class AgentClient {
  readonly socket: string;

  constructor(socket: string) {
    this.socket = socket;
  }

  get(path: string): Promise<unknown> {
    return this.#insist("GET", path);
  }

  post(path: string, body: unknown): Promise<unknown> {
    return this.#insist("POST", path, body);
  }

  delete(path: string): Promise<unknown> {
    return this.#insist("DELETE", path);
  }

  /** Returns: the answer, whatever its status. Errors: UNREACHABLE. */
  ask(method: Method, path: string, body?: unknown): Promise<AgentResponse> {
    return this.send({ method, path, body });
  }

  /** Returns: the answer, whatever its status. Errors: UNREACHABLE. */
  send({ method, path, body, headers }: Sending): Promise<AgentResponse> {
    return new Promise((resolve, reject) => {
      const waitMsMax = method === "POST" ? changeMsMax : answerMsMax;
      const sent = body === undefined ? "" : JSON.stringify(body);
      const call = request(
        {
          socketPath: this.socket,
          method,
          path,
          timeout: waitMsMax,
          headers: {
            host: "gam",
            ...headers,
            "content-length": Buffer.byteLength(sent),
            ...(sent === "" ? {} : { "content-type": "application/json" }),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", (cause) => reject(this.#unreachable(cause)));
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            const answered = text === "" ? undefined : jsonOr(text, text);
            resolve({ status: response.statusCode ?? 0, body: answered });
          });
        },
      );
      call.on("timeout", () => call.destroy(new Error(`no answer in ${waitMsMax / 1000} s`)));
      call.on("error", (cause) => reject(this.#unreachable(cause)));
      call.end(sent);
    });
  }

  /**
   * Reads a stream, which may take long; `each` gets its pieces in order, with the type of the content.
   * Errors: UNREACHABLE, and those of an answer that is a refusal.
   */
  stream(path: string, each: (piece: Buffer, type: string) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers = { host: "gam" };
      const call = request({ socketPath: this.socket, path, headers }, (response) => {
        const status = response.statusCode ?? 0;
        const refused: Buffer[] = [];
        const type = response.headers["content-type"] ?? "";
        response.on("data", (piece: Buffer) => {
          if (!isRefusal(status)) each(piece, type);
          else refused.push(piece);
        });
        response.on("error", (cause) => reject(this.#unreachable(cause)));
        response.on("end", () => {
          const said = Buffer.concat(refused).toString();
          if (!isRefusal(status)) resolve();
          else reject(refusalOf({ status, body: jsonOr(said, said) }));
        });
      });
      call.on("error", (cause) => reject(this.#unreachable(cause)));
      call.end();
    });
  }

  /**
   * Sends a request and writes the answer's data to `to` as it comes, which may take long. Does not end `to`.
   * Resolves to the trailers behind the data.
   *
   * Errors: as stream(); UNREACHABLE for data that was cut off; those of `to`.
   */
  async download(
    path: string,
    body: unknown,
    to: Writable,
  ): Promise<Readonly<Record<string, string | undefined>>> {
    const response = await this.#open("POST", path, JSON.stringify(body), "application/json");
    try {
      for await (const piece of response as AsyncIterable<Buffer>) {
        if (!to.write(piece)) await once(to, "drain");
      }
    } catch (thrown) {
      rethrowInvariant(thrown);
      throw to.errored ?? this.#unreachable(thrown);
    }
    return response.trailers;
  }

  /** Sends data as it comes, which may take long. Resolves to the answer's body. Errors: as stream(); those of `from`. */
  async upload(path: string, from: Readable, type: string): Promise<unknown> {
    const response = await this.#open("PUT", path, from, type);
    const said = await text(response);
    return jsonOr(said, said);
  }

  /** As insist(), for work that may take long. */
  async patiently({ method, path, body }: Sending & { readonly method: "POST" }): Promise<unknown> {
    const response = await this.#open(method, path, JSON.stringify(body), "application/json");
    const said = await text(response);
    return jsonOr(said, said);
  }

  /** Resolves to an answer that is no refusal, without a limit of time. */
  async #open(
    method: "POST" | "PUT",
    path: string,
    sent: string | Readable,
    type: string,
  ): Promise<IncomingMessage> {
    const headers = { host: "gam", "content-type": type };
    const call = request({ socketPath: this.socket, method, path, headers });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      call.once("response", resolve);
      call.once("error", (cause) => reject(this.#unreachable(cause)));
      if (typeof sent === "string") call.end(sent);
      // A refusal may come before all is sent, and says more than the broken pipe.
      else {
        sent.once("error", (thrown) => {
          reject(thrown);
          call.destroy();
        });
        sent.pipe(call);
      }
    });
    const response = await answered;
    call.on("error", () => undefined);
    const status = response.statusCode ?? 0;
    if (!isRefusal(status)) return response;
    if (typeof sent !== "string") sent.destroy();
    const said = await text(response);
    throw refusalOf({ status, body: jsonOr(said, said) });
  }

  /** Returns: whether an agent serves requests at the socket. */
  async answers(): Promise<boolean> {
    try {
      return (await this.ask("GET", "/gam/v1/status")).status === 200;
    } catch (thrown) {
      if (thrown instanceof GamError && thrown.code === "UNREACHABLE") return false;
      throw thrown;
    }
  }

  #insist(method: Method, path: string, body?: unknown): Promise<unknown> {
    return this.insist({ method, path, body });
  }

  /** Returns: the body of an answer that is no refusal. Errors: as above. */
  async insist(sending: Sending): Promise<unknown> {
    const answer = await this.send(sending);
    if (!isRefusal(answer.status)) return answer.body;
    throw refusalOf(answer);
  }

  #unreachable(cause: unknown): GamError {
    const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : "";
    if (code === "ECONNRESET" || code === "EPIPE") {
      const ended = `Cannot reach agent at ${this.socket}: it ended before it had answered`;
      return new GamError("UNREACHABLE", `${ended}. Its log says why`, { cause });
    }
    const advice =
      code === "EACCES"
        ? "Run this as root, or as a member of the socket's group"
        : 'Start an agent with "systemctl start gam" or "gam agent"';
    const message = `Cannot reach agent at ${this.socket}: ${whyNot(code, cause)}. ${advice}`;
    return new GamError("UNREACHABLE", message, { cause });
  }
}

/** An engine redirects a path that it would write in another way, and gives no answer to the question. */
function isRefusal(status: number): boolean {
  return status >= 300 && status !== 304;
}

function refusalOf(answer: AgentResponse): GamError {
  return new GamError(answer.status === 404 ? "NOT_FOUND" : "REFUSED", saidBy(answer));
}

function whyNot(code: unknown, cause: unknown): string {
  if (code === "ENOENT") return "there is no such socket";
  if (code === "ECONNREFUSED") return "nothing listens there";
  if (code === "EACCES") return "permission denied";
  return messageOf(cause);
}

/** The agent's message, in gam's words where it is Swarm's, and without the prefix that Swarm's clients expect. */
function saidBy({ status, body }: AgentResponse): string {
  const said =
    typeof body === "object" && body !== null && "message" in body ? String(body.message) : "";
  if (said.startsWith("This node is already part of a swarm")) {
    return 'This host is already in a mesh. Run "gam status" to see it, or "gam leave" to leave it';
  }
  const [, left, all] = /leaves (\d+) managers out of (\d+)/.exec(said) ?? [];
  if (left !== undefined) {
    return `Without this host, ${left} of ${all} managers answer, and nothing could be changed any more. Start the others first: "gam status" shows them. Or run "gam leave --force"`;
  }
  if (said.includes("Removing the last manager erases")) {
    return 'This host is the last manager: when it leaves, what the mesh knows is lost. If you want that, run "gam leave --force"';
  }
  if (said.includes("Worker nodes can't")) {
    return 'This host is a worker. Run the command on a manager; "gam status" shows the role of each host';
  }
  if (/^This node is not (?:a swarm manager|part of a swarm)/.test(said)) {
    return 'This host is in no mesh. Run "gam init" to begin one, or "gam join TOKEN" to join one';
  }
  const plain = said.replace(/^rpc error: code = \w+ desc = /, "");
  return plain === ""
    ? `The agent answered with status ${status} and no reason. Read the log of the agent`
    : plain;
}
