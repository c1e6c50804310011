/**
 * DNS listener: runs the UDP and TCP sockets of one gateway address.
 *
 * The bridge may get the address later than the plan arrives here, or lose it and get it back. Until it has the
 * address, binding is retried and not reported. Any other failure is reported and retried. Decides no answer. A
 * flood costs time, not memory: limits apply to connections, to open questions on each of them, and to unread
 * answers.
 */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { framed, unframed } from "./ask-upstream.ts";

const absentRetryMs = 200;
const problemRetryMs = 2_000;
const receiveBufferBytes = 1 << 20;
const connectionsMax = 128;
const connectionsPerAskerMax = 16;
const idleMs = 10_000;
const pendingMax = 16;
const unreadBytesMax = 1 << 20;

export const transports = ["udp", "tcp"] as const;
export type Transport = (typeof transports)[number];

/** undefined: send no answer. */
export type Reply = Buffer | undefined;

export interface ListenerOptions {
  readonly address: string;
  readonly port: number;
  answer(message: Buffer, from: string, transport: Transport): Reply | Promise<Reply>;
  /** Called with what is wrong with one of the two sockets; with undefined once it listens. */
  onProblem(transport: Transport, problem: string | undefined): void;
}

export class DnsListener {
  readonly #options: ListenerOptions;
  readonly #retries = new Map<Transport, NodeJS.Timeout>();
  readonly #connections = new Set<Socket>();
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  #closed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#listenUdp();
    this.#listenTcp();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#retries.values()) clearTimeout(timer);
    for (const connection of this.#connections) connection.destroy();
    const udp = this.#udp;
    const tcp = this.#tcp;
    this.#udp = undefined;
    this.#tcp = undefined;
    await Promise.all([
      new Promise<void>((resolve) => (udp === undefined ? resolve() : udp.close(resolve))),
      new Promise<void>((resolve) => (tcp === undefined ? resolve() : tcp.close(() => resolve()))),
    ]);
  }

  #listenUdp(): void {
    const { address, port } = this.#options;
    const socket = createSocket({
      type: "udp4",
      recvBufferSize: receiveBufferBytes,
      // All targets are IP addresses already, so there is nothing to resolve.
      lookup: (target, _, done) => done(null, target, 4),
    });
    this.#udp = socket;
    socket.on("error", (error) => {
      if (this.#udp !== socket) return; // This socket is closed already.
      socket.close();
      this.#udp = undefined;
      this.#failed("udp", error, () => this.#listenUdp());
    });
    socket.on("listening", () => this.#options.onProblem("udp", undefined));
    socket.on("message", (message, { address: from, port: fromPort }) => {
      // Nothing can be sent to port 0: send() would throw.
      if (fromPort === 0) return;
      const reply = this.#options.answer(message, from, "udp");
      const send = (bytes: Reply): void => {
        if (bytes !== undefined && this.#udp === socket) {
          // A failed send counts as a lost packet: the client asks again.
          socket.send(bytes, fromPort, from, () => undefined);
        }
      };
      if (reply instanceof Promise) void reply.then(send);
      else send(reply);
    });
    socket.bind({ address, port, exclusive: true });
  }

  #listenTcp(): void {
    const { address, port } = this.#options;
    const server = createServer((connection) => this.#serve(connection));
    this.#tcp = server;
    server.maxConnections = connectionsMax;
    server.on("error", (error) => {
      if (this.#tcp !== server) return;
      server.close(); // A listening server fails too, when the process is out of file descriptors.
      this.#tcp = undefined;
      this.#failed("tcp", error, () => this.#listenTcp());
    });
    server.on("listening", () => this.#options.onProblem("tcp", undefined));
    server.listen({ host: address, port, exclusive: true });
  }

  #failed(transport: Transport, error: NodeJS.ErrnoException, again: () => void): void {
    if (this.#closed) return;
    const absent = error.code === "EADDRNOTAVAIL";
    const { address, port, onProblem } = this.#options;
    const found =
      error.code === "EADDRINUSE" ? "another program on this host listens there" : error.message;
    onProblem(
      transport,
      absent ? undefined : `Cannot serve DNS at ${address}:${port}/${transport}: ${found}`,
    );
    const retry = setTimeout(again, absent ? absentRetryMs : problemRetryMs);
    this.#retries.set(transport, retry);
  }

  #serve(connection: Socket): void {
    const from = connection.remoteAddress;
    const others = [...this.#connections].filter(({ remoteAddress }) => remoteAddress === from);
    // The client has gone already, or has too many connections.
    if (from === undefined || others.length >= connectionsPerAskerMax) {
      connection.destroy();
      return;
    }
    this.#connections.add(connection);
    let heard: Buffer = Buffer.alloc(0);
    let pending = 0;
    const reply = (bytes: Reply): void => {
      pending -= 1;
      if (bytes === undefined) connection.destroy();
      if (bytes === undefined || connection.destroyed) return;
      connection.write(framed(bytes));
      if (connection.writableLength > unreadBytesMax) connection.destroy();
      if (pending < pendingMax && connection.isPaused()) {
        connection.resume();
        work();
      }
    };
    /** Answers complete messages, while fewer than `pendingMax` are open. */
    const work = (): void => {
      while (pending < pendingMax) {
        const { message, rest } = unframed(heard);
        if (message === undefined) break;
        heard = rest;
        pending += 1;
        const answer = this.#options.answer(message, from, "tcp");
        if (answer instanceof Promise) void answer.then(reply);
        else reply(answer);
      }
      if (pending >= pendingMax) connection.pause();
    };
    connection.setTimeout(idleMs, () => connection.destroy());
    connection.on("error", () => undefined); // "close" follows.
    connection.on("close", () => this.#connections.delete(connection));
    connection.on("data", (bytes) => {
      heard = heard.length === 0 ? bytes : Buffer.concat([heard, bytes]);
      work();
    });
  }
}
