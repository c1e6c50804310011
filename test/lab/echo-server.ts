/**
 * Echo server: a service that says who answered and whom, and can be sent to ask others.
 *
 *   node echo-server.ts PORT [SOCKET]
 *
 * On PORT: HTTP on TCP and a datagram each way on UDP, both answered with { server, client, version }.
 * On the Unix socket: questions (echo.ts) that it carries from where it stands. So a test that opens
 * the socket from outside learns what this container, or this host, can reach and by which name. PORT 0
 * is for those who only ask.
 *
 * On SIGTERM it accepts whoever waits for it in the kernel, answers them and ends, as a service should. What it
 * was asking others it drops: nobody waits for that any more.
 *
 * Runs in containers without node_modules: it imports nothing but Node.
 */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { rmSync } from "node:fs";
import { createServer, get, type IncomingMessage } from "node:http";
import { hostname } from "node:os";
import { text } from "node:stream/consumers";
import type { Answer, Question } from "./echo.ts";

const answerMsMax = 2000;
/** The kernel resets whoever has not been accepted when the server is closed. */
const acceptMs = 100;
const [port = "80", socket = "/run/echo.sock"] = process.argv.slice(2);

const whoAsked = (client: string | undefined): string =>
  JSON.stringify({
    server: hostname(),
    client: client?.replace(/^::ffff:/, "") ?? "",
    version: process.env.VERSION ?? "",
  });

const server = createServer((request, response) => {
  // Known length: a connection that is kept is worth keeping.
  const body = whoAsked(request.socket.remoteAddress);
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
});
server.keepAliveTimeout = 60_000;
const echo = createSocket("udp4");
echo.on("message", (_, from) => echo.send(whoAsked(from.address), from.port, from.address));
if (port !== "0") {
  // A burst of connections waits in the kernel and is not refused.
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

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    if (port === "0") process.exit();
    asker.close();
    asker.closeAllConnections();
    echo.close();
    setTimeout(() => {
      server.close(() => process.exit());
      server.closeIdleConnections();
    }, acceptMs);
  });
}

async function answerAll(request: IncomingMessage): Promise<string> {
  const questions = JSON.parse(await text(request)) as Question[];
  return JSON.stringify(await Promise.all(questions.map(answer)));
}

async function answer({ ask, name, port }: Question): Promise<Answer> {
  let addresses: readonly string[] | undefined;
  try {
    const found = await lookup(name, { all: true, family: 4 });
    addresses = found.map(({ address }) => address).sort();
    const [address = ""] = addresses;
    switch (ask) {
      case "address":
        return { addresses };
      case "http":
        return { addresses, ...(await askHttp(address, port)) };
      case "udp":
        return { addresses, ...(await askUdp(address, port)) };
    }
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    return { ...(addresses && { addresses }), trouble: String(code ?? cause) };
  }
}

function askHttp(host: string, port: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(answerMsMax);
    const sent = get({ host, port, agent: false, signal }, (response) => {
      text(response).then((body) => resolve(JSON.parse(body) as Answer), reject);
    });
    sent.on("error", (cause) => reject(signal.aborted ? new Error("no answer in time") : cause));
  });
}

function askUdp(host: string, port: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = createSocket("udp4");
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      asking.close();
      settle();
    };
    const timer = setTimeout(() => end(() => reject(new Error("no answer in time"))), answerMsMax);
    // Connected, so that a refusal is told.
    asking.connect(port, host, () => asking.send("?"));
    asking.on("message", (body) => end(() => resolve(JSON.parse(String(body)) as Answer)));
    asking.on("error", (cause) => end(() => reject(cause)));
  });
}
