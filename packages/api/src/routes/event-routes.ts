/**
 * Event routes: the local engine's events and the cluster's in one stream.
 *
 * Each event is one JSON object on one line, sent at once. The engine filters its own events.
 */
import { once } from "node:events";
import { request as ask, type IncomingMessage, type ServerResponse } from "node:http";
import { jsonOr, rethrowInvariant } from "@gam/core";
import type { FastifyInstance } from "fastify";
import { passes, type SwarmEvent } from "../answers/swarm-events.ts";
import { isWorker } from "../engine/worker-calls.ts";
import { splitLines } from "../logs/log-frames.ts";
import { ApiError } from "../request/api-error.ts";
import { forEngine } from "../request/api-version.ts";
import { fieldsOf } from "../request/fields.ts";
import { Filters } from "../request/filters.ts";
import { Query } from "../request/query.ts";
import { closing, type RouteContext } from "./route-context.ts";

/** A client with more unread bytes than this is disconnected, to save memory. */
const waitingBytesMax = 4 * 1024 * 1024;
/** The longest wait that a timer can hold. */
const timerMsMax = 2 ** 31 - 1;

export function eventRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get("/events", async (request, reply) => {
    const query = new Query(request.url);
    const filters = new Filters(query.text("filters"), "any");
    const sinceMs = moment(query, "since");
    const untilMs = moment(query, "until");
    const signal = closing(reply);
    const local = await openLocal(context, request.originalUrl, signal);

    reply.hijack();
    const answer = reply.raw;
    answer.writeHead(200, { "Content-Type": "application/json" });
    answer.flushHeaders();
    const tell = (event: SwarmEvent): void => {
      // Only managers show events of the cluster.
      if (isWorker(context.door) || !passes(event, filters) || answer.destroyed) return;
      if (untilMs !== undefined && event.timeNano > untilMs * 1e6) return;
      answer.write(`${JSON.stringify(event)}\n`);
      if (answer.writableLength > waitingBytesMax) answer.destroy();
    };
    if (sinceMs !== undefined) context.events.since(sinceMs).forEach(tell);
    const deafen = context.events.listen(tell);
    try {
      await Promise.all([
        local === undefined ? undefined : passLines(local, answer, signal),
        untilOver(untilMs, signal),
      ]);
    } finally {
      deafen();
      answer.end();
    }
    return reply;
  });
}

/** Returns: the engine's stream; `undefined` if there is no engine. Errors: ApiError with the engine's message. */
async function openLocal(
  { engine }: RouteContext,
  url: string,
  signal: AbortSignal,
): Promise<IncomingMessage | undefined> {
  const headers = ["Host", "docker", "Connection", "close"];
  const path = forEngine(url, await engine.version());
  const call = ask({ ...engine.options("GET", path, headers), signal });
  call.end();
  const response = await new Promise<IncomingMessage | undefined>((settle) => {
    call.on("response", settle);
    // After the answer has begun, passLines() handles errors.
    call.on("error", () => settle(undefined));
  });
  if (response === undefined) return undefined;
  if (response.statusCode === 200) return response;
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  throw new ApiError(response.statusCode ?? 500, messageIn(Buffer.concat(chunks).toString("utf8")));
}

function messageIn(text: string): string {
  const { message } = fieldsOf(jsonOr(text, undefined));
  return typeof message === "string" ? message : text;
}

/** Passes whole lines only, so that an event of the cluster never lands inside an event of the engine. */
async function passLines(
  source: IncomingMessage,
  answer: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const { payload } of splitLines(source)) {
      if (answer.destroyed) return;
      if (!answer.write(payload)) await once(answer, "drain", { signal });
    }
  } catch (thrown) {
    rethrowInvariant(thrown);
    // The engine or the client hung up. If the client is still there, it keeps getting the cluster's events.
  }
}

/** Resolves at that time, or when the client hangs up. */
async function untilOver(untilMs: number | undefined, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const over = once(signal, "abort");
  if (untilMs === undefined) return void (await over);
  const leftMs = Math.min(Math.max(untilMs - Date.now(), 0), timerMsMax);
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((settle) => {
    timer = setTimeout(settle, leftMs);
  });
  await Promise.race([over, elapsed]);
  clearTimeout(timer);
}

/**
 * Returns: milliseconds since 1970, from the seconds that the client sends. Rounded to whole milliseconds, like
 * the cluster's events, because a fraction of seconds is not exact.
 */
function moment(query: Query, key: string): number | undefined {
  const text = query.text(key);
  if (text === undefined || text === "" || text === "0") return undefined;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new ApiError(400, `invalid value for "${key}": "${text}"`);
  return Math.round(value * 1000);
}
