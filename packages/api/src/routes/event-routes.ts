/**
 * Event routes: the local engine's events and the cluster's in one stream.
 *
 *   docker events                              this host's, and the cluster's on a manager
 *   docker events --filter gam.hosts=all       also those of the containers of all hosts
 *   docker events --filter gam.hosts=host2     of one host; may be repeated
 *
 * Each event is one JSON object on one line, sent at once. Engines filter their own events. With the filter for
 * hosts, the attribute "gam.host" of each engine's event names its host. A host that is lost comes back with what
 * happened meanwhile, as far as its engine remembers that.
 */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { jsonOr, rethrowInvariant } from "@gam/core";
import type { FastifyInstance } from "fastify";
import { hostnameOf } from "../answers/node-answer.ts";
import { passes, type SwarmEvent } from "../answers/swarm-events.ts";
import type { CallTarget } from "../engine/call-target.ts";
import { missing } from "../engine/engine.ts";
import { messageInText, openStream, textOfAnswer } from "../engine/open-stream.ts";
import { isWorker, requireManager } from "../engine/worker-calls.ts";
import { silentText } from "../hosts/candidates.ts";
import { unanswered } from "../hosts/containers.ts";
import { hostLabel, hostsFilter, nodesCalled } from "../hosts/hosts-asked.ts";
import { splitLines } from "../logs/log-frames.ts";
import { ApiError } from "../request/api-error.ts";
import { fieldsOf } from "../request/fields.ts";
import { Filters } from "../request/filters.ts";
import { Query } from "../request/query.ts";
import { closing, type RouteContext, requireActive } from "./route-context.ts";

/** A client with more unread bytes than this is disconnected, to save memory. */
const waitingBytesMax = 4 * 1024 * 1024;
/** The longest wait that a timer can hold. */
const timerMsMax = 2 ** 31 - 1;
/** More than an engine's message about a refused call has. */
const refusalBytesMax = 64 * 1024;
/** How soon a host whose events have ended is asked again. */
const askAgainMs = 1_000;
const nanosPerSecond = 1_000_000_000n;

export function eventRoutes(app: FastifyInstance, context: RouteContext): void {
  app.get("/events", async (request, reply) => {
    const query = new Query(request.url);
    const filters = new Filters(query.text("filters"), "any");
    const sinceMs = moment(query, "since");
    const untilMs = moment(query, "until");
    const signal = closing(reply);
    const url = request.originalUrl;
    const { sources, silent } = await openSources(context, { url, filters, signal });
    const over = new AbortController();
    signal.addEventListener("abort", () => over.abort());

    reply.hijack();
    const answer = reply.raw;
    if (silent.length > 0) answer.setHeader("Warning", `199 gam "${silentText(silent).trim()}"`);
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
        ...sources.map((source) => follow(source, { answer, signal, over: over.signal })),
        untilOver(untilMs, signal).then(() => over.abort()),
      ]);
    } finally {
      deafen();
      answer.end();
    }
    return reply;
  });
}

interface Source {
  /** Undefined for a host that does not answer. */
  readonly stream: IncomingMessage | undefined;
  /** The host that its events name; `undefined` when the client asked for no other hosts. */
  readonly host: string | undefined;
  /** Opens its events from that time on, after they have ended. Returns: `undefined` if it does not answer. */
  readonly again?: (since: string) => Promise<IncomingMessage | undefined>;
}

interface Opened {
  readonly sources: readonly Source[];
  /** Names of the hosts that do not answer. */
  readonly silent: readonly string[];
}

/** Opens the engine's events and those of the hosts that the client asks for. Errors: ApiError of an engine. */
async function openSources(
  context: RouteContext,
  {
    url,
    filters,
    signal,
  }: { readonly url: string; readonly filters: Filters; readonly signal: AbortSignal },
): Promise<Opened> {
  const { door, engine, containers } = context;
  if (!filters.has(hostsFilter)) {
    const stream = await openOne(engine, url, signal).catch(missing);
    return { sources: stream === undefined ? [] : [{ stream, host: undefined }], silent: [] };
  }
  requireActive(door);
  requireManager(door);
  const nodes = nodesCalled(filters.values(hostsFilter), door.view().nodes());
  const plain = withoutHosts(url);
  const sources: Source[] = [];
  const silent: string[] = [];
  const own = nodes.find(({ ID }) => ID === door.self);
  if (own !== undefined) {
    const stream = await openOne(engine, plain, signal).catch(missing);
    const again = reopening(engine, plain, signal);
    sources.push({ stream, host: hostnameOf(own), again });
  }
  // Other hosts have only events of containers.
  const others = filters.exact("type", "container")
    ? containers.others().filter(({ id }) => nodes.some(({ ID }) => ID === id))
    : [];
  await containers.ofEach(others, async (host) => {
    const stream = await openOne(host, plain, signal).catch(unanswered);
    if (stream === undefined) silent.push(host.name);
    sources.push({ stream, host: host.name, again: reopening(host, plain, signal) });
  });
  return { sources, silent };
}

/** Returns: the call without the filter that engines do not know. */
function withoutHosts(url: string): string {
  const [path = "", query = ""] = url.split("?");
  const params = new URLSearchParams(query);
  const { [hostsFilter]: _, ...others } = fieldsOf(jsonOr(params.get("filters") ?? "", undefined));
  params.set("filters", JSON.stringify(others));
  return `${path}?${params}`;
}

/** Errors: those of openStream(); ApiError with the engine's message. */
async function openOne(
  target: CallTarget,
  url: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const response = await openStream(target, url, signal);
  if (response.statusCode === 200) return response;
  const text = await textOfAnswer(response, refusalBytesMax);
  throw new ApiError(response.statusCode ?? 500, messageInText(text));
}

/** A refusal is an engine that is down for now: it took the same call before. */
function reopening(target: CallTarget, url: string, signal: AbortSignal): Source["again"] {
  return async (since) => {
    const [path = "", query = ""] = url.split("?");
    const params = new URLSearchParams(query);
    params.set("since", since);
    try {
      return await openOne(target, `${path}?${params}`, signal);
    } catch (thrown) {
      rethrowInvariant(thrown);
      return undefined;
    }
  };
}

interface Following {
  readonly answer: ServerResponse;
  /** Aborts when the client hangs up. */
  readonly signal: AbortSignal;
  /** Aborts when no later events are wanted. */
  readonly over: AbortSignal;
}

/** Passes the source's events on. After they have ended, asks for those since the last one, until `over`. */
async function follow(source: Source, { answer, signal, over }: Following): Promise<void> {
  let { stream } = source;
  let since = seconds(nowNano());
  for (;;) {
    if (stream !== undefined) {
      const lastNano = await passLines({ ...source, stream }, answer, signal);
      since = seconds(lastNano === undefined ? nowNano() : lastNano + 1n);
    }
    if (source.again === undefined || over.aborted) return;
    await untilOver(Date.now() + askAgainMs, over);
    if (over.aborted) return;
    stream = await source.again(since);
  }
}

/** Returns: the time as engines read it. */
function seconds(nano: bigint): string {
  return `${nano / nanosPerSecond}.${String(nano % nanosPerSecond).padStart(9, "0")}`;
}

function nowNano(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/**
 * Passes whole lines only, so that an event of one source never lands inside an event of another.
 *
 * Resolves at the end of the stream to the time of its last event; `undefined` if it had none.
 */
async function passLines(
  { stream, host }: Source & { readonly stream: IncomingMessage },
  answer: ServerResponse,
  signal: AbortSignal,
): Promise<bigint | undefined> {
  let lastNano: bigint | undefined;
  try {
    for await (const { payload } of splitLines(stream)) {
      if (answer.destroyed) return lastNano;
      if (host !== undefined) lastNano = timeOf(payload) ?? lastNano;
      const line = host === undefined ? payload : withHost(payload, host);
      if (!answer.write(line)) await once(answer, "drain", { signal });
    }
  } catch (thrown) {
    rethrowInvariant(thrown);
    // The source or the client hung up. If the client is still there, it keeps getting the other events.
  }
  return lastNano;
}

/** Read as text: the number has more digits than JavaScript keeps. */
function timeOf(line: Buffer): bigint | undefined {
  const digits = /"timeNano":(\d{1,20})\b/.exec(line.toString("utf8"))?.[1];
  return digits === undefined ? undefined : BigInt(digits);
}

function withHost(line: Buffer, host: string): string {
  const event = fieldsOf(jsonOr(line.toString("utf8"), undefined));
  const actor = fieldsOf(event.Actor);
  const Attributes = { ...fieldsOf(actor.Attributes), [hostLabel]: host };
  return `${JSON.stringify({ ...event, Actor: { ...actor, Attributes } })}\n`;
}

/** Resolves at that time, or when `signal` aborts. */
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
