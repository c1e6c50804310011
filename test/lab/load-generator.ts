/**
 * Load generator: asks echo servers over and over, each time with a new connection, and counts.
 *
 *   node load-generator.ts '{ "urls": [...], "perSecond": 500 }'           until SIGTERM
 *   node load-generator.ts '{ "urls": [...], "count": 10000, "atOnce": 32 }'
 *
 * Urls take turns. Prints one LoadResult (load.ts) as JSON in the end. Everything that is not an answer
 * with status 200 is a failure, with its reason; requests that are out when it is told to end are waited for.
 */
import { type ClientRequest, get } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import type { Answer } from "./echo.ts";
import type { LoadOptions, LoadResult } from "./load.ts";

/** Only for those who are never answered: where containers start, the machine is late with all of them. */
const answerMsMax = 20_000;
const turnMs = 5;
// More than this at once means that nobody answers; the rest of them would only pile up.
const outMax = 5000;

const options = JSON.parse(process.argv[2] ?? "") as LoadOptions;
const failures: Record<string, number> = {};
const servers: Record<string, number> = {};
const tookMs: number[] = [];
let sent = 0;
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
else await Promise.all(Array.from({ length: options.atOnce }, () => lane(options.count)));
while (out > 0) await pause(turnMs);
tookMs.sort((a, b) => a - b);
const result: LoadResult = {
  sent,
  answered,
  failures,
  servers,
  lastedMs: performance.now() - beganMs,
  p50Ms: tookMs[Math.floor(tookMs.length * 0.5)] ?? 0,
  p99Ms: tookMs[Math.floor(tookMs.length * 0.99)] ?? 0,
};
process.stdout.write(`${JSON.stringify(result)}\n`);

async function atRate(perSecond: number): Promise<void> {
  while (!ended) {
    const due = Math.floor(((performance.now() - beganMs) / 1000) * perSecond);
    while (sent < due) {
      if (out < outMax) void once();
      else {
        sent += 1;
        fail(`more than ${outMax} unanswered`);
      }
    }
    await pause(turnMs);
  }
}

async function lane(count: number): Promise<void> {
  while (sent < count && !ended) await once();
}

async function once(): Promise<void> {
  const url = options.urls[sent % options.urls.length] ?? "";
  sent += 1;
  out += 1;
  const atMs = performance.now();
  const signal = AbortSignal.timeout(answerMsMax);
  const request = get(url, { agent: false, signal });
  let port: number | undefined;
  request.on("socket", (socket) => {
    socket.on("connect", () => {
      port = socket.localPort;
    });
  });
  try {
    const { server = "" } = await answerTo(request);
    answered += 1;
    servers[server] = (servers[server] ?? 0) + 1;
    tookMs.push(performance.now() - atMs);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    const second = ((atMs - beganMs) / 1000).toFixed(1);
    fail(`${url}: ${signal.aborted ? `nothing in ${answerMsMax} ms` : String(code ?? cause)}`);
    // Who wants to know more finds the connection in a trace or in conntrack by its port.
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
