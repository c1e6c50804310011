/**
 * Talker: keeps connections to echo servers open, and sends on each ten times a second.
 *
 *   node talker.ts '{ "address": "10.77.0.2", "port": 80, "count": 8 }'    until SIGTERM
 *
 * Prints a line for each answer: the connection's own port, and the server. When a connection fails, ends or
 * gets no answer, it prints a line with the reason instead, and does not open the connection again.
 */
import { connect, type Socket } from "node:net";
import type { TalkOptions, Word } from "./talk.ts";

const everyMs = 100;
const answerMsMax = 10_000;

const { address, port, count } = JSON.parse(process.argv[2] ?? "") as TalkOptions;
const request = `GET / HTTP/1.1\r\nHost: ${address}\r\n\r\n`;

for (let index = 0; index < count; index += 1) talk(connect(port, address));

function talk(socket: Socket): void {
  let own = 0;
  let said = "";
  socket.setEncoding("utf8");
  socket.setTimeout(answerMsMax, () => socket.destroy(new Error("No answer")));
  socket.on("connect", () => {
    own = socket.localPort ?? 0;
    socket.write(request);
  });
  socket.on("data", (text: string) => {
    said += text;
    const server = /"server":"([^"]*)"/.exec(said)?.[1];
    if (server === undefined) return;
    said = "";
    tell({ port: own, server });
    setTimeout(() => socket.write(request), everyMs);
  });
  socket.on("error", ({ message }) => tell({ port: own, trouble: message }));
  socket.on("end", () => tell({ port: own, trouble: "the server ended it" }));
}

function tell(word: Word): void {
  process.stdout.write(`${JSON.stringify(word)}\n`);
}
