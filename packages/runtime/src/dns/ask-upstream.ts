/** Ask upstream: one question to one server, once, by UDP or TCP. Decides nothing about the answer. */
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { GamError } from "@gam/core";

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

export interface Ask<T> {
  readonly upstream: Upstream;
  readonly message: Buffer;
  readonly limitMs: number;
  readonly signal: AbortSignal;
  /** undefined for what is no answer to this question: by UDP one goes on waiting. */
  accept(reply: Buffer): T | undefined;
}

/**
 * From a port of its own that the kernel picks, and heard from that server only.
 *
 * Errors: GamError UNREACHABLE, at once where the host says that nobody listens there.
 */
export function askByUdp<T>({ upstream, message, limitMs, signal, accept }: Ask<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: isIPv6(upstream.address) ? "udp6" : "udp4",
      lookup: (address, _, done) => done(null, address, isIPv6(address) ? 6 : 4),
    });
    let ended = false;
    const end = (settle: () => void): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.close();
      settle();
    };
    const fail = (found: string): void => end(() => reject(unreachable(upstream, found)));
    const abort = (): void => fail("the server is closing");
    const timer = setTimeout(() => fail(`no answer in ${limitMs} ms`), limitMs);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort);
    socket.on("error", ({ message: found }) => fail(found));
    socket.on("message", (reply) => {
      const answer = accept(reply);
      if (answer !== undefined) end(() => resolve(answer));
    });
    socket.connect(upstream.port, upstream.address, () => {
      if (!ended) socket.send(message);
    });
  });
}

/** Errors: GamError UNREACHABLE; also when the answer is none to this question. */
export function askByTcp<T>({ upstream, message, limitMs, signal, accept }: Ask<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: upstream.address, port: upstream.port });
    let heard = Buffer.alloc(0);
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.destroy();
      settle();
    };
    const fail = (found: string): void => end(() => reject(unreachable(upstream, found)));
    const abort = (): void => fail("the server is closing");
    const timer = setTimeout(() => fail(`no answer in ${limitMs} ms`), limitMs);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort);
    socket.on("error", ({ message: found }) => fail(found));
    socket.on("close", () => fail("it closed the connection"));
    socket.on("data", (bytes) => {
      heard = Buffer.concat([heard, bytes]);
      const { message: reply } = unframed(heard);
      if (reply === undefined) return;
      const answer = accept(reply);
      if (answer === undefined) fail("it answered another question");
      else end(() => resolve(answer));
    });
    socket.write(framed(message));
  });
}

/** As messages go by TCP: their length before them. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.allocUnsafe(2);
  length.writeUInt16BE(message.length, 0);
  return Buffer.concat([length, message]);
}

/** Cuts the first message off what came by TCP. Shape: undefined while it is not whole. */
export function unframed(heard: Buffer): {
  readonly message: Buffer | undefined;
  readonly rest: Buffer;
} {
  const end = heard.length < 2 ? 2 : 2 + heard.readUInt16BE(0);
  if (heard.length < end) return { message: undefined, rest: heard };
  return { message: heard.subarray(2, end), rest: heard.subarray(end) };
}

function unreachable({ address, port }: Upstream, found: string): GamError {
  return new GamError("UNREACHABLE", `Cannot ask name server ${address}:${port}: ${found}`);
}
