/**
 * Engine proxy: passes a call to an engine and its answer back, byte for byte.
 *
 * Bodies stream both ways with back-pressure and without limit. Headers of an answer leave at once,
 * because clients wait for them: `docker run` starts the container only after the headers of its
 * `wait` call. When one side hangs up, the other side ends, too. Upgraded connections (attach, exec)
 * become two sockets whose halves end separately. engine-path.ts decides which calls the engine may get.
 */
import {
  type ClientRequest,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import { Socket } from "node:net";
import { type Duplex, pipeline, Readable } from "node:stream";
import { messageOf, rethrowInvariant } from "@gam/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError, errorResponseOf } from "../request/api-error.ts";
import type { CallTarget } from "./call-target.ts";
import { isClusterPath } from "./engine-path.ts";

/** The body of an upgrade call is `{"Detach":false,"Tty":false}` or the like. */
const upgradeBodyBytesMax = 1024 * 1024;

/** How often a client that has ended its input is checked for whether it is still there. */
const hangUpProbeMs = 1_000;

/** Headers that belong to one connection. The next one has its own. */
const ownHeaders = new Set(["connection", "keep-alive", "proxy-connection", "expect", "te"]);

function passedHeaders(raw: readonly string[], more: readonly string[] = []): string[] {
  const passed: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = "", value = ""] = raw.slice(at, at + 2);
    const lower = name.toLowerCase();
    if (!ownHeaders.has(lower) && !more.includes(lower)) passed.push(name, value);
  }
  return passed;
}

const bodyHeaders = ["content-length", "transfer-encoding"];

/** Errors: ApiError 404 for calls about a Swarm, with the engine's text for an unknown path. */
function insistOnEnginePath(url: string): void {
  if (isClusterPath(url)) throw new ApiError(404, "page not found");
}

export interface PassOptions {
  /** The path and query for the engine, if not those of the call. */
  readonly url?: string;
  /** Gets each piece of the answer's body before the client does. */
  readonly onAnswer?: ((piece: Buffer) => void) | undefined;
  /** The body, if it has already been read from the call. */
  readonly body?: Buffer;
  /** Awaited before the engine's answer goes to the client. Never rejects. */
  readonly beforeAnswer?: () => Promise<void>;
}

/** Passes a route's call to the engine, which answers it. Resolves when the request is sent. */
export async function passCall(
  target: CallTarget,
  { raw: call, originalUrl }: FastifyRequest,
  reply: FastifyReply,
  options: PassOptions = {},
): Promise<FastifyReply> {
  insistOnEnginePath(originalUrl);
  reply.hijack();
  await forward({ call, answer: reply.raw, target }, { url: originalUrl, ...options });
  return reply;
}

export interface ForwardedCall {
  readonly call: IncomingMessage;
  readonly answer: ServerResponse;
  readonly target: CallTarget;
}

/** As passCall(), for a call outside of any route. */
export async function forward(
  { call, answer, target }: ForwardedCall,
  { body: read, beforeAnswer, onAnswer, url = call.url ?? "/" }: PassOptions = {},
): Promise<void> {
  const body = read === undefined ? call : Readable.from(read.length > 0 ? [read] : []);
  const path = await target.pathOf(url);
  // A left-over header must not upgrade a call that does not ask for it.
  const dropped = body === call ? ["upgrade"] : ["upgrade", ...bodyHeaders];
  const headers = passedHeaders(call.rawHeaders, dropped);
  // The engine must not close first: the end of the body would then meet a closed socket, and that error would
  // lose an answer that has already arrived. The connection is destroyed when the answer is done.
  headers.push("Connection", "keep-alive");
  // Without this, a POST without a body would be sent on with an empty chunked one, which the engine takes for
  // a body of an unknown type.
  const { "content-length": length, "transfer-encoding": coding } = call.headers;
  const isEmpty = length === undefined && coding === undefined;
  if (body !== call) headers.push("Transfer-Encoding", "chunked");
  else if (isEmpty && call.method !== "GET") headers.push("Content-Length", "0");
  if (answer.destroyed) return;
  let onward: ClientRequest;
  try {
    onward = request(target.options(call.method ?? "GET", path, headers));
  } catch (thrown) {
    // The parser accepts characters that may not be sent.
    if (!(thrown instanceof TypeError)) throw thrown;
    return refuseCall(answer, new ApiError(400, messageOf(thrown), { cause: thrown }));
  }
  answer.on("close", () => {
    onward.destroy();
    // A request whose answer has ended keeps its connection, for an agent that does not exist here.
    onward.socket?.destroy();
  });
  onward.on("response", async (response) => {
    if (beforeAnswer !== undefined) await beforeAnswer();
    // The connection to the engine has failed meanwhile, and the client has got that error.
    if (answer.headersSent) return;
    // Each connection cuts the body into its own chunks.
    const passed = passedHeaders(response.rawHeaders, ["transfer-encoding"]);
    answer.writeHead(response.statusCode ?? 502, response.statusMessage ?? "", passed);
    answer.flushHeaders();
    if (onAnswer !== undefined) response.on("data", onAnswer);
    // An error cuts the client's connection: half an answer must not look like a whole one.
    pipeline(response, answer, () => undefined);
  });
  onward.on("error", (thrown) => {
    // After an answer has begun, its own stream reports the error.
    if (!answer.destroyed && !answer.headersSent) refuseCall(answer, target.missing(thrown));
  });
  // No pipeline: it would lose the answer of an engine that answers before it has read the whole body.
  body.pipe(onward);
}

/** Answers with an error, and ends the connection: the call's body may not have been read. */
export function refuseCall(answer: ServerResponse, thrown: unknown): void {
  const { status, message } = errorResponseOf(thrown);
  answer.writeHead(status, { "Content-Type": "application/json", Connection: "close" });
  answer.end(`${JSON.stringify({ message })}\n`);
}

/**
 * Gives the connection of a call back to its server, with the same call without the upgrade header. A server may
 * ignore an upgrade request and answer as usual.
 */
export function ignoreUpgrade(
  server: Server,
  call: IncomingMessage,
  client: Duplex,
  head: Buffer,
): void {
  const headers = passedHeaders(call.rawHeaders, ["upgrade", "http2-settings"]);
  const lines = [`${call.method} ${call.url} HTTP/${call.httpVersion}`];
  for (let at = 0; at + 1 < headers.length; at += 2)
    lines.push(`${headers[at]}: ${headers[at + 1]}`);
  const again = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  client.unshift(Buffer.concat([again, head]));
  server.emit("connection", client);
}

export interface Upgrading {
  readonly call: IncomingMessage;
  readonly client: Duplex;
  readonly head: Buffer;
}

export interface UpgradeTarget {
  readonly target: CallTarget;
  /** The path and query for the target. */
  readonly url: string;
}

/** Takes over the connection of a call with `Connection: Upgrade`. Never rejects: errors become answers. */
export async function passUpgrade(
  { call, client, head }: Upgrading,
  find: () => UpgradeTarget | Promise<UpgradeTarget>,
): Promise<void> {
  client.on("error", () => client.destroy());
  try {
    insistOnEnginePath(call.url ?? "/");
    const { target, url } = await find();
    const path = await target.pathOf(url);
    const { body, rest } = await takeBody(call, client, head);
    const headers = passedHeaders(call.rawHeaders);
    headers.push("Connection", "Upgrade");
    if (client.destroyed) return;
    let begun = false;
    const onward = request(target.options(call.method ?? "POST", path, headers));
    onward.on("upgrade", (response, socket, early) => {
      begun = true;
      writeHead(client, response, ["Connection", "Upgrade"]);
      client.write(early);
      socket.write(rest);
      join(client, socket);
    });
    onward.on("response", (response) => {
      begun = true;
      // The engine refused. The server no longer manages this connection, so it ends with the answer.
      writeHead(client, response, ["Connection", "close"], ["transfer-encoding", "upgrade"]);
      pipeline(response, client, () => undefined);
    });
    onward.on("error", (thrown) => {
      if (!begun) refuse(client, target.missing(thrown));
    });
    client.on("close", () => onward.destroy());
    onward.end(body);
  } catch (thrown) {
    rethrowInvariant(thrown);
    refuse(client, thrown);
  }
}

/** Reads the body: the server hands over the connection right after the headers. */
async function takeBody(
  call: IncomingMessage,
  client: Duplex,
  head: Buffer,
): Promise<{ body: Buffer; rest: Buffer }> {
  if (call.headers["transfer-encoding"] !== undefined) {
    throw new ApiError(411, "an upgrade with a body needs its length");
  }
  const length = Number(call.headers["content-length"] ?? 0);
  if (!(length >= 0 && length <= upgradeBodyBytesMax)) {
    throw new ApiError(413, `body of an upgrade is over ${upgradeBodyBytesMax} bytes`);
  }
  let taken = head;
  while (taken.length < length) {
    const chunk = await nextChunk(client);
    taken = Buffer.concat([taken, chunk]);
  }
  return { body: taken.subarray(0, length), rest: taken.subarray(length) };
}

function nextChunk(client: Duplex): Promise<Buffer> {
  return new Promise((settle, fail) => {
    const gone = (): void => fail(new ApiError(400, "connection ended within the body"));
    client.once("end", gone);
    client.once("close", gone);
    client.resume();
    client.once("data", (chunk: Buffer) => {
      client.pause();
      client.off("end", gone);
      client.off("close", gone);
      settle(chunk);
    });
  });
}

function writeHead(
  client: Duplex,
  response: IncomingMessage,
  own: readonly string[],
  without: readonly string[] = [],
): void {
  const headers = [...passedHeaders(response.rawHeaders, without), ...own];
  const lines = [`HTTP/1.1 ${response.statusCode} ${response.statusMessage}`];
  for (let at = 0; at + 1 < headers.length; at += 2)
    lines.push(`${headers[at]}: ${headers[at + 1]}`);
  client.write(`${lines.join("\r\n")}\r\n\r\n`);
}

/** Each direction ends by itself; an error of one end tears down the other. */
function join(client: Duplex, engine: Duplex): void {
  client.pipe(engine);
  engine.pipe(client);
  if (client instanceof Socket) noticeHangUp(client);
  const tear = (): void => {
    client.destroy();
    engine.destroy();
  };
  client.on("error", tear).on("close", tear);
  engine.on("error", tear).on("close", () => client.end());
}

/**
 * Fails the socket when its client is gone. A client that has only ended its input looks the same to a reader, but
 * a write, even of no bytes, fails when nobody can read it. Otherwise the exec of a killed client would live on.
 */
function noticeHangUp(client: Socket): void {
  const nothing = Buffer.alloc(0);
  client.once("end", () => {
    client.write(nothing);
    const probe = setInterval(() => client.writable && client.write(nothing), hangUpProbeMs);
    client.once("close", () => clearInterval(probe));
  });
}

function refuse(client: Duplex, thrown: unknown): void {
  if (client.destroyed || client.writableEnded) return;
  const { status, message } = errorResponseOf(thrown);
  const body = `${JSON.stringify({ message })}\n`;
  const length = Buffer.byteLength(body);
  client.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`,
  );
}
