/** Ask upstream: one question to one server, once, by UDP or TCP. Decides nothing about the answer. */
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { GamError } from "@gam/core";

const closing = "the server is closing";

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
export function askByUdp<T>(ask: Ask<T>): Promise<T> {
  const { upstream, message, accept } = ask;
  return asking(ask, ({ answered, failed, isOver }) => {
    const socket = createSocket({
      type: isIPv6(upstream.address) ? "udp6" : "udp4",
      lookup: (address, _, done) => done(null, address, isIPv6(address) ? 6 : 4),
    });
    socket.on("error", ({ message: found }) => failed(found));
    socket.on("message", (reply) => {
      const answer = accept(reply);
      if (answer !== undefined) answered(answer);
    });
    socket.connect(upstream.port, upstream.address, () => {
      if (!isOver()) socket.send(message);
    });
    return () => socket.close();
  });
}

/** Errors: GamError UNREACHABLE; also when the answer is none to this question. */
export function askByTcp<T>(ask: Ask<T>): Promise<T> {
  const { upstream, message, accept } = ask;
  return asking(ask, ({ answered, failed }) => {
    const socket = connect({ host: upstream.address, port: upstream.port });
    let heard = Buffer.alloc(0);
    socket.on("error", ({ message: found }) => failed(found));
    socket.on("close", () => failed("it closed the connection"));
    socket.on("data", (bytes) => {
      heard = Buffer.concat([heard, bytes]);
      const { message: reply } = unframed(heard);
      if (reply === undefined) return;
      const answer = accept(reply);
      if (answer === undefined) failed("it answered another question");
      else answered(answer);
    });
    socket.write(framed(message));
    return () => socket.destroy();
  });
}

/** How a question may end. Only the first end counts. */
interface Ending<T> {
  answered(answer: T): void;
  /** `found`: why there is no answer. */
  failed(found: string): void;
  isOver(): boolean;
}

/** One question until its end, its limit or that of the whole server. `begin` returns what closes it. */
function asking<T>(
  { upstream, limitMs, signal }: Ask<T>,
  begin: (ending: Ending<T>) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const end = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      close();
      settle();
    };
    const failed = (found: string): void => end(() => reject(unreachable(upstream, found)));
    const abort = (): void => failed(closing);
    if (signal.aborted) return reject(unreachable(upstream, closing));
    const timer = setTimeout(() => failed(`no answer in ${limitMs} ms`), limitMs);
    signal.addEventListener("abort", abort);
    const close = begin({
      answered: (answer) => end(() => resolve(answer)),
      failed,
      isOver: () => isOver,
    });
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
