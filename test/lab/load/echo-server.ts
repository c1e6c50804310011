/**
 * Echo server: a service that reports who answered whom, and sends requests for a test.
 *
 *   node echo-server.ts PORT [SOCKET]
 *
 * On PORT: HTTP on TCP and a datagram each way on UDP, both answered with { server, client, version }.
 * A path /burn/20 keeps the processor busy for 20 ms before the answer, as the work of a real service does. With
 * /wait/3000 the answer comes after 3 s. /health is answered with the status HEALTH of its environment, or 200.
 * On the Unix socket: questions (echo.ts) that it asks from its own network. So a test that opens the
 * socket from outside learns what this container, or this host, can reach and by which name. PORT 0
 * opens the socket only.
 *
 * On SIGTERM it accepts the connections that wait in the kernel, answers them and ends, as a service should. The
 * kernel resets those that still wait when a server stops listening, and a busy server has many. With ABRUPT in its
 * environment it ends at once, as many servers do. It drops its own
 * questions, since the test needs no answers any more. Each half second, and in the end, it prints an Ending
 * (ending.ts): what came after the signal, and what the kernel refused.
 *
 * Runs in containers without node_modules, so it imports only Node's own modules.
 */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { readFileSync, rmSync } from "node:fs";
import { createServer, get, type IncomingMessage } from "node:http";
import { hostname } from "node:os";
import { text } from "node:stream/consumers";
import type { Answer, AskedQuestion } from "./echo.ts";
import type { Ending } from "./ending.ts";

/** It keeps listening for at least this long, and then until no connection waits. */
const acceptMs = 100;
const lookMs = 5;
const tellMs = 500;
/** Stops listening after that time even if connections wait, as most servers do. */
const hasty = process.env.HASTY !== undefined;
const abrupt = process.env.ABRUPT !== undefined;
const [port = "80", socket = "/run/echo.sock"] = process.argv.slice(2);

const whoAsked = (client: string | undefined, forwarded?: string | string[]): string =>
  JSON.stringify({
    server: hostname(),
    client: client?.replace(/^::ffff:/, "") ?? "",
    version: process.env.VERSION ?? "",
    ...(forwarded !== undefined && { forwarded: String(forwarded) }),
  });

/** Uses this much time of the processor, however much of it others use meanwhile. */
function burn(ms: number): void {
  const before = process.cpuUsage();
  while (process.cpuUsage(before).user + process.cpuUsage(before).system < ms * 1000);
}

const server = createServer((request, response) => {
  burn(Number(/^\/burn\/(\d{1,4})$/.exec(request.url ?? "")?.[1] ?? 0));
  const waitMs = Number(/^\/wait\/(\d{1,6})$/.exec(request.url ?? "")?.[1] ?? 0);
  const answer = () => {
    // With a length, so that the connection can be kept.
    const body = whoAsked(request.socket.remoteAddress, request.headers["x-forwarded-for"]);
    const status = request.url === "/health" ? Number(process.env.HEALTH ?? 200) : 200;
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": body.length,
    });
    response.end(body);
  };
  if (waitMs > 0) setTimeout(answer, waitMs);
  else answer();
});
server.keepAliveTimeout = 60_000;
const echo = createSocket("udp4");
echo.on("message", (_, from) => echo.send(whoAsked(from.address), from.port, from.address));
if (port !== "0") {
  // A large backlog, so that a burst of connections waits in the kernel and is not refused.
  server.listen({ port: Number(port), host: "0.0.0.0", backlog: 4096 });
  echo.bind(Number(port));
}

const asker = createServer((request, response) => {
  answerAll(request).then(
    (body) => response.end(body),
    (cause: unknown) => {
      response.statusCode = 400;
      response.end(String(cause));
    },
  );
});
rmSync(socket, { force: true });
asker.listen(socket);

let accepted = 0;
let open = 0;
server.on("connection", (connection) => {
  accepted += 1;
  open += 1;
  connection.on("close", () => {
    open -= 1;
  });
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    if (port === "0" || abrupt) process.exit();
    asker.close();
    asker.closeAllConnections();
    echo.close();
    const [before, toldMs] = [{ accepted, ...kernelCounts() }, performance.now()];
    const tell = (state: "listens" | "closes" | "ended", refused: number, waiting: number) => {
      const { opened, overflowed } = kernelCounts();
      const ending: Ending = {
        state,
        opened: opened - before.opened,
        accepted: accepted - before.accepted,
        waiting,
        open,
        overflowed,
        refused,
        lingeredMs: Math.round(performance.now() - toldMs),
      };
      process.stdout.write(`${JSON.stringify({ ending })}\n`);
    };
    // Repeated, so that a server killed at the end of its grace period has reported its recent counts.
    const telling = setInterval(() => tell("listens", 0, waitingConnections()), tellMs);
    const look = setInterval(() => {
      const waiting = waitingConnections();
      if (performance.now() < toldMs + acceptMs || (waiting > 0 && !hasty)) return;
      clearInterval(look);
      clearInterval(telling);
      tell("closes", 0, waiting);
      const { resets } = kernelCounts();
      server.close(() => {
        tell("ended", kernelCounts().resets - resets, waiting);
        process.exit();
      });
      server.closeIdleConnections();
    }, lookMs);
  });
}

/** Connections on the server's port that the kernel has opened and the server has not accepted: see proc_net_tcp. */
function waitingConnections(): number {
  const local = `:${Number(port).toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n")) {
    const [, address = "", , state, queues = ""] = line.trim().split(/\s+/);
    if (state === "0A" && address.endsWith(local)) return Number.parseInt(queues.slice(9), 16);
  }
  return 0;
}

/** What the kernel has counted in this network namespace: connections opened to it, resets sent, queues that overflowed. */
function kernelCounts(): { opened: number; resets: number; overflowed: number } {
  const counts = new Map<string, number>();
  for (const file of ["/proc/net/snmp", "/proc/net/netstat"]) {
    const lines = readFileSync(file, "utf8").trim().split("\n");
    // A line of names, then a line of numbers, both beginning with the protocol.
    for (let at = 0; at + 1 < lines.length; at += 2) {
      const [protocol, ...names] = (lines[at] ?? "").split(" ");
      const [, ...values] = (lines[at + 1] ?? "").split(" ");
      for (const [n, name] of names.entries()) counts.set(`${protocol}${name}`, Number(values[n]));
    }
  }
  const count = (name: string): number => counts.get(name) ?? 0;
  return {
    opened: count("Tcp:PassiveOpens"),
    resets: count("Tcp:OutRsts"),
    overflowed: count("TcpExt:ListenOverflows"),
  };
}

async function answerAll(request: IncomingMessage): Promise<string> {
  const questions = JSON.parse(await text(request)) as AskedQuestion[];
  return JSON.stringify(await Promise.all(questions.map(answer)));
}

async function answer(question: AskedQuestion): Promise<Answer> {
  const { ask, name, port, withinMs } = question;
  let addresses: readonly string[] | undefined;
  try {
    const found = await lookup(name, { all: true, family: 4 });
    addresses = found.map(({ address }) => address).sort();
    const [address = ""] = addresses;
    switch (ask) {
      case "address":
        return { addresses };
      case "http":
        return { addresses, ...(await askHttp(address, port, withinMs)) };
      case "udp":
        return { addresses, ...(await askUdp(address, port, withinMs)) };
    }
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    return { ...(addresses && { addresses }), trouble: String(code ?? cause) };
  }
}

function askHttp(host: string, port: number, withinMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(withinMs);
    const sent = get({ host, port, agent: false, signal }, (response) => {
      text(response).then((body) => resolve(JSON.parse(body) as Answer), reject);
    });
    sent.on("error", (cause) => reject(signal.aborted ? new Error("no answer in time") : cause));
  });
}

function askUdp(host: string, port: number, withinMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = createSocket("udp4");
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      asking.close();
      settle();
    };
    const timer = setTimeout(() => end(() => reject(new Error("no answer in time"))), withinMs);
    // Connected, so that a refusal is reported.
    asking.connect(port, host, () => asking.send("?"));
    asking.on("message", (body) => end(() => resolve(JSON.parse(String(body)) as Answer)));
    asking.on("error", (cause) => end(() => reject(cause)));
  });
}
