/**
 * Ask upstream: asks one server one question, once, by UDP or TCP. Decides nothing about the answer.
 *
 * Any failure of a socket, and anything that a server sends, can end only that one question.
 */
import { createSocket } from "node:dgram";
import { connect, isIP, isIPv6 } from "node:net";
import { GamError, messageOf, rethrowInvariant } from "@gam/core";

const closing = "this DNS server is closing";

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

export interface Ask<T> {
  readonly upstream: Upstream;
  readonly message: Buffer;
  readonly limitMs: number;
  readonly signal: AbortSignal;
  /** Returns: undefined when the reply does not answer this question; by UDP the wait goes on. */
  accept(reply: Buffer): T | undefined;
}

/**
 * Asks by UDP, from a new port that the kernel picks. Accepts packets only from that server.
 *
 * Errors: GamError UNREACHABLE, at once when the kernel reports that nothing listens there.
 */
export function askByUdp<T>(ask: Ask<T>): Promise<T> {
  const { upstream, message } = ask;
  return asking(ask, ({ heard, failed, isOver }) => {
    const socket = createSocket({
      type: isIPv6(upstream.address) ? "udp6" : "udp4",
      lookup: (address, _, done) => done(null, address, isIPv6(address) ? 6 : 4),
    });
    socket.on("error", ({ message: found }) => failed(found));
    socket.on("message", heard);
    // Only this callback reports that there is no route.
    const connected = (cause?: Error): void => {
      if (cause !== undefined) failed(cause.message);
      else if (!isOver()) socket.send(message, (unsent) => unsent && failed(unsent.message));
    };
    socket.connect(upstream.port, upstream.address, connected as () => void);
    return () => socket.close();
  });
}

/** Asks by TCP. Errors: GamError UNREACHABLE, also when the server answers another question. */
export function askByTcp<T>(ask: Ask<T>): Promise<T> {
  const { upstream, message } = ask;
  return asking(ask, ({ heard, failed }) => {
    const socket = connect({ host: upstream.address, port: upstream.port });
    let bytes = Buffer.alloc(0);
    socket.on("error", ({ message: found }) => failed(found));
    socket.on("close", () => failed("it closed the connection"));
    socket.on("data", (more) => {
      bytes = Buffer.concat([bytes, more]);
      const { message: reply } = unframed(bytes);
      if (reply !== undefined && !heard(reply)) failed("it answered another question");
    });
    socket.write(framed(message));
    return () => socket.destroy();
  });
}

/** How a question may end. Only the first end counts. */
interface Ending {
  /** Takes a reply. Returns: whether it ends the question. */
  readonly heard: (reply: Buffer) => boolean;
  /** Ends the question without an answer. `found`: why. */
  failed(found: string): void;
  isOver(): boolean;
}

/** Runs one question until its answer, its time limit or `signal`. `begin` returns a function that closes it. */
function asking<T>(
  { upstream, limitMs, signal, accept }: Ask<T>,
  begin: (ending: Ending) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    let close: (() => void) | undefined;
    const end = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      close?.();
      settle();
    };
    const failed = (found: string): void => end(() => reject(unreachable(upstream, found)));
    const abort = (): void => failed(closing);
    const heard = (reply: Buffer): boolean => {
      try {
        const answer = accept(reply);
        if (answer !== undefined) end(() => resolve(answer));
        return answer !== undefined;
      } catch (thrown) {
        rethrowInvariant(thrown);
        failed(messageOf(thrown));
        return true;
      }
    };
    if (signal.aborted) return reject(unreachable(upstream, closing));
    // A host name would be resolved by asking this same DNS server.
    if (isIP(upstream.address) === 0) return reject(unreachable(upstream, "not an IP address"));
    const timer = setTimeout(() => failed(`no answer in ${limitMs} ms`), limitMs);
    signal.addEventListener("abort", abort);
    try {
      close = begin({ heard, failed, isOver: () => isOver });
    } catch (thrown) {
      rethrowInvariant(thrown);
      failed(messageOf(thrown));
    }
    if (isOver) close?.();
  });
}

/** A message as TCP carries it: with its length before it. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.allocUnsafe(2);
  length.writeUInt16BE(message.length, 0);
  return Buffer.concat([length, message]);
}

/** Cuts the first message off the bytes that came by TCP. `message` is undefined while it is incomplete. */
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
