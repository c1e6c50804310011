/**
 * Load generator: sends requests to echo servers, each with a new connection, and counts.
 *
 *   node load-generator.ts '{ "urls": [...], "perSecond": 500 }'                    until SIGTERM
 *   node load-generator.ts '{ "urls": [...], "atOnce": 32, "count": 10000 }'        or "forMs": 2000
 *
 * Urls take turns. Prints one LoadResult (load.ts) as JSON in the end. Everything that is not an answer
 * with status 200 is a failure, with its reason. At the end it waits for the open requests.
 *
 * By rate it is an open loop with a bound: a request that is due while too many are unanswered is not sent, and
 * is counted as unsent. That is not a failure of the server, but the load was less than wanted.
 */
import { type ClientRequest, get } from "node:http";
import { Agent, get as getSecurely } from "node:https";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import type { Answer } from "./echo.ts";
import { type ClosedLoop, type LoadOptions, type LoadResult, underWayWord } from "./load.ts";

/** Long, to catch only requests that are never answered: while containers start, all answers are late. */
const answerMsMaxDefault = 20_000;
const turnMs = 5;

const options = JSON.parse(process.argv[2] ?? "") as LoadOptions;
const { urls, host, ca, kept, answerMsMax = answerMsMaxDefault } = options;
const asked = {
  agent: kept === undefined ? (false as const) : new Agent({ keepAlive: true, maxSockets: kept }),
  ...(host !== undefined && { headers: { host }, servername: host }),
  ...(ca !== undefined && { ca }),
};
const firstAnswers = "perSecond" in options ? Math.ceil(options.perSecond) : undefined;
const failures: Record<string, number> = {};
const servers: Record<string, number> = {};
const tookMs: number[] = [];
let sent = 0;
let unsent = 0;
let lateMs = 0;
let out = 0;
let answered = 0;
let ended = false;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    ended = true;
  });
}

const beganMs = performance.now();
if ("perSecond" in options) await atRate(options.perSecond);
else await closedLoop(options);
while (out > 0) await pause(turnMs);
tookMs.sort((a, b) => a - b);
const result: LoadResult = {
  sent,
  answered,
  unsent,
  lateMs,
  failures,
  servers,
  lastedMs: performance.now() - beganMs,
  p50Ms: tookMs[Math.floor(tookMs.length * 0.5)] ?? 0,
  p99Ms: tookMs[Math.floor(tookMs.length * 0.99)] ?? 0,
};
process.stdout.write(`${JSON.stringify(result)}\n`);

async function atRate(perSecond: number): Promise<void> {
  // As many as are due in half of an answer's time limit. A few servers without answers do not reach it.
  const outMax = (perSecond * answerMsMax) / 2000;
  while (!ended) {
    const passedMs = performance.now() - beganMs;
    const due = Math.floor((passedMs / 1000) * perSecond);
    for (let next = sent + unsent; next < due; next += 1) {
      if (out >= outMax) {
        unsent += 1;
        continue;
      }
      lateMs = Math.max(lateMs, passedMs - (next / perSecond) * 1000);
      void once();
    }
    await pause(turnMs);
  }
}

async function closedLoop(loop: ClosedLoop): Promise<void> {
  const { atOnce, count = Number.POSITIVE_INFINITY, forMs = Number.POSITIVE_INFINITY } = loop;
  const lane = async (): Promise<void> => {
    while (sent < count && performance.now() - beganMs < forMs && !ended) await once();
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

async function once(): Promise<void> {
  const url = urls[sent % urls.length] ?? "";
  sent += 1;
  out += 1;
  const atMs = performance.now();
  const signal = AbortSignal.timeout(answerMsMax);
  const send = url.startsWith("https:") ? getSecurely : get;
  const request = send(url, { ...asked, signal });
  let port: number | undefined;
  request.on("socket", (socket) => {
    if (!socket.connecting) port = socket.localPort;
    else {
      socket.once("connect", () => {
        port = socket.localPort;
      });
    }
  });
  try {
    const { server = "" } = await answerTo(request);
    answered += 1;
    if (answered === firstAnswers) process.stderr.write(`${underWayWord}\n`);
    servers[server] = (servers[server] ?? 0) + 1;
    tookMs.push(performance.now() - atMs);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const second = ((atMs - beganMs) / 1000).toFixed(1);
    fail(`${url}: ${signal.aborted ? `nothing in ${answerMsMax} ms` : String(code ?? cause)}`);
    // The port identifies the connection in a packet trace or in conntrack.
    process.stderr.write(`${second} s: ${url} from port ${port}: ${String(cause)}\n`);
  } finally {
    out -= 1;
  }
}

function fail(reason: string): void {
  failures[reason] = (failures[reason] ?? 0) + 1;
}

function answerTo(request: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on("response", (response) => {
      text(response).then((body) => {
        if (response.statusCode === 200) resolve(JSON.parse(body) as Answer);
        else reject(new Error(`status ${response.statusCode}`));
      }, reject);
    });
    request.on("error", reject);
  });
}
