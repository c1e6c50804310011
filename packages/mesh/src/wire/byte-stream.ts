/**
 * ByteStream: bytes between two peers, as a Node Duplex, for logs, exec, attach and copies.
 *
 * libp2p's streams have no back-pressure for readers: unread bytes pile up in memory. So the
 * reader grants credit as it takes bytes, and the writer never sends more than that. Each half
 * ends by itself (the end of stdin is not the end of the output).
 *
 *   opener  -> open {name, header}     acceptor -> accepted | failed {code, message}
 *   both    -> data, credit, end, failed
 */
import { Duplex } from "node:stream";
import {
  assert,
  check,
  decode,
  encode,
  GamError,
  messageOf,
  type NodeId,
  rethrowInvariant,
} from "@gam/core";
import type { Stream } from "@libp2p/interface";
import type { Limits } from "../trust/limits.ts";
import { Channel } from "./channel.ts";
import { headBytes } from "./frame.ts";
import type { Link, Links } from "./link.ts";
import { codeCheck } from "./rpc.ts";

/** May throw or reject with GamError: the opener gets that error. */
export type StreamHandler = (
  from: NodeId,
  header: Uint8Array,
  stream: Duplex,
) => Promise<void> | void;

export interface ByteStreamsOptions {
  readonly links: Links;
  readonly limits: Limits;
  readonly nowMs: () => number;
  readonly onRubbish: (link: Link, reason: string) => void;
}

/** First byte of a frame. */
const tag = { open: 0, accepted: 1, data: 2, credit: 3, end: 4, failed: 5 } as const;
const tagBytes = 1;
/** One frame of data, with the header of Yamux, fills one message of Noise. A larger one would make two. */
const muxerHeaderBytes = 12;
const sealedBytesMax = 65_535 - 16;
const pieceBytesMax = sealedBytesMax - muxerHeaderBytes - headBytes - tagBytes;
const headerBytesMax = 64 * 1024;
const messageLengthMax = 4096;

const openCheck = check.object({ name: check.string(64), header: check.bytes(headerBytesMax) });
const failedCheck = check.object({ code: codeCheck, message: check.string(messageLengthMax) });

export class ByteStreams {
  static readonly protocol = "/gam/bytes/1";
  readonly #options: ByteStreamsOptions;
  readonly #handlers = new Map<string, StreamHandler>();

  constructor(options: ByteStreamsOptions) {
    this.#options = options;
  }

  handle(name: string, handler: StreamHandler): () => void {
    this.#handlers.set(name, handler);
    return () => this.#handlers.delete(name);
  }

  /** Errors: UNREACHABLE without a connection, NOT_SUPPORTED without a handler for `name`. */
  async open(to: NodeId, name: string, header: Uint8Array): Promise<Duplex> {
    const { links, limits } = this.#options;
    const link = links.to(to);
    const unreachable = (why: string): GamError =>
      new GamError("UNREACHABLE", `Cannot open "${name}" at node "${to}": ${why}`);
    if (link === undefined) throw unreachable("it is not connected");
    let raw: Stream;
    try {
      raw = await link.connection.newStream(ByteStreams.protocol, {
        signal: AbortSignal.timeout(limits.helloMs),
        maxOutboundStreams: limits.byteStreamsMax,
      });
    } catch (thrown) {
      rethrowInvariant(thrown);
      throw unreachable(messageOf(thrown));
    }
    return await new Promise((resolve, reject) => {
      const stream: PeerStream = new PeerStream(raw, {
        ...this.#hooks(link),
        begin: () => {
          stream.off("error", reject);
          resolve(stream);
        },
      });
      stream.once("error", reject);
      stream.say(tag.open, encode({ name, header }));
    });
  }

  /** Takes a stream that a peer opened. */
  accept(raw: Stream, link: Link): void {
    const stream: PeerStream = new PeerStream(raw, {
      ...this.#hooks(link),
      begin: (body) => void this.#serve(link, openCheck(decode(body), "stream"), stream),
    });
  }

  async #serve(link: Link, { name, header }: Opening, stream: PeerStream): Promise<void> {
    const handler = this.#handlers.get(name);
    try {
      if (handler === undefined) {
        throw new GamError("NOT_SUPPORTED", `Cannot open "${name}": unknown here`);
      }
      stream.say(tag.accepted);
      await handler(link.nodeId, header, stream);
    } catch (thrown) {
      rethrowInvariant(thrown);
      stream.destroy(
        thrown instanceof GamError ? thrown : new GamError("REFUSED", messageOf(thrown)),
      );
    }
  }

  #hooks(link: Link): Omit<PeerStreamOptions, "begin"> {
    const { links, limits, nowMs, onRubbish } = this.#options;
    return {
      windowBytes: limits.windowBytes,
      onHeard: () => links.heard(link, nowMs()),
      onRubbish: (reason) => onRubbish(link, reason),
    };
  }
}

interface Opening {
  readonly name: string;
  readonly header: Uint8Array;
}

interface PeerStreamOptions {
  readonly windowBytes: number;
  readonly onHeard: () => void;
  readonly onRubbish: (reason: string) => void;
  /** Called with the frame that begins the stream: open, or accepted. */
  readonly begin: (body: Uint8Array) => void;
}

/** What was written and is not sent yet. */
interface Waiting {
  readonly parts: Uint8Array[];
  bytes: number;
  readonly done: (error?: Error | null) => void;
}

const dataTag = Uint8Array.of(tag.data);

class PeerStream extends Duplex {
  readonly #channel: Channel;
  readonly #windowBytes: number;
  /** Undefined once the stream has begun. */
  #begin: ((body: Uint8Array) => void) | undefined;
  /** Bytes that this end may still send. */
  #credit: number;
  /** Bytes that the other end may still send. */
  #granted: number;
  /** Bytes that were read, and for which no new credit was granted yet. */
  #owed = 0;
  /** Which side has announced its end. */
  readonly #ended = { here: false, there: false };
  #waiting: Waiting | undefined;

  constructor(raw: Stream, { windowBytes, onHeard, onRubbish, begin }: PeerStreamOptions) {
    super({ readableHighWaterMark: windowBytes, writableHighWaterMark: windowBytes });
    this.#windowBytes = windowBytes;
    this.#credit = windowBytes;
    this.#granted = windowBytes;
    this.#begin = begin;
    // A peer may be lost when no one listens for errors here any more. Unhandled, that would end the agent.
    this.on("error", () => undefined);
    this.#channel = new Channel(raw, {
      bodyBytesMax: Math.max(pieceBytesMax, headerBytesMax) + 1024,
      onFrame: (body) => this.#receive(body),
      onHeard,
      onDrain: () => this.#pump(),
      onEnd: () => this.#lost("the peer hung up"),
      onClose: (reason) => this.#lost(reason ?? "the peer hung up"),
      onRubbish: (error) => {
        this.destroy(error);
        onRubbish(error.message);
      },
    });
  }

  say(kind: (typeof tag)[keyof typeof tag], body: Uint8Array = new Uint8Array()): void {
    this.#channel.sendParts([Uint8Array.of(kind), body]);
  }

  override _write(
    chunk: Uint8Array,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.#waiting = { parts: [chunk], bytes: chunk.length, done };
    this.#pump();
  }

  /** One frame for what was corked, such as the parts of an HTTP chunk, instead of one for each write. */
  override _writev(
    chunks: readonly { readonly chunk: Uint8Array }[],
    done: (error?: Error | null) => void,
  ): void {
    const parts = chunks.map(({ chunk }) => chunk);
    this.#waiting = { parts, bytes: parts.reduce((sum, { length }) => sum + length, 0), done };
    this.#pump();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.say(tag.end);
    this.#ended.here = true;
    if (this.#ended.there) this.#channel.close();
    done();
  }

  override _read(): void {
    this.#grant();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#ended.here || !this.#ended.there) {
      const code = error instanceof GamError ? error.code : "UNREACHABLE";
      const message = error === null ? "Cannot go on: the stream was closed" : messageOf(error);
      this.say(tag.failed, encode({ code, message: message.slice(0, messageLengthMax) }));
    }
    this.#channel.close();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.done(error);
    done(error);
  }

  #receive(frame: Uint8Array): void {
    const kind = frame[0];
    const body = frame.subarray(1);
    const begin = this.#begin;
    if (begin !== undefined && (kind === tag.open || kind === tag.accepted)) {
      this.#begin = undefined;
      return begin(body);
    }
    switch (kind) {
      case tag.data:
        return this.#take(body);
      case tag.credit:
        if (body.length !== 4) break;
        this.#credit += new DataView(body.buffer, body.byteOffset).getUint32(0);
        if (this.#credit > 2 ** 32) break;
        return this.#pump();
      case tag.end:
        if (this.#ended.there) break;
        this.#ended.there = true;
        this.push(null);
        if (this.#ended.here) this.#channel.close();
        return;
      case tag.failed: {
        const { code, message } = failedCheck(decode(body), "stream");
        this.#ended.there = true;
        this.#ended.here = true;
        this.destroy(new GamError(code, message));
        return;
      }
    }
    throw new GamError("BAD_FRAME", `Cannot read stream: frame of kind ${kind}`);
  }

  #take(body: Uint8Array): void {
    this.#granted -= body.length;
    if (this.#granted < 0 || this.#ended.there) {
      throw new GamError("BAD_FRAME", "Cannot read stream: more bytes than were granted");
    }
    if (this.destroyed) return;
    this.#owed += body.length;
    if (this.push(body)) this.#grant();
  }

  /** Grants credit in steps of a quarter of the window, so that a slow reader does not cause a frame per byte. */
  #grant(): void {
    if (this.#owed < this.#windowBytes / 4) return;
    const body = Buffer.alloc(4);
    body.writeUInt32BE(this.#owed);
    this.#granted += this.#owed;
    this.#owed = 0;
    this.say(tag.credit, body);
  }

  /** Waits for credit for a whole piece: many small ones would cost more than the wait. */
  #pump(): void {
    const wholeBytes = Math.min(pieceBytesMax, Math.floor(this.#windowBytes / 4));
    while (this.#waiting !== undefined && !this.#channel.blocked) {
      const waiting = this.#waiting;
      const bytes = Math.min(waiting.bytes, wholeBytes);
      if (this.#credit < bytes) return;
      this.#credit -= bytes;
      waiting.bytes -= bytes;
      this.#channel.sendParts([dataTag, ...takeFront(waiting.parts, bytes)]);
      if (waiting.bytes > 0) continue;
      this.#waiting = undefined;
      waiting.done();
    }
  }

  #lost(why: string): void {
    if (this.#ended.here && this.#ended.there) return;
    this.destroy(new GamError("UNREACHABLE", `Cannot go on with the stream: ${why}`));
  }
}

/** Removes that many bytes from the front of `parts`. Returns: them, without a copy. */
function takeFront(parts: Uint8Array[], bytes: number): Uint8Array[] {
  const taken: Uint8Array[] = [];
  let left = bytes;
  while (left > 0) {
    const [first] = parts;
    assert(first !== undefined, "there are as many bytes as were counted");
    const part = first.subarray(0, left);
    taken.push(part);
    left -= part.length;
    if (part.length < first.length) parts[0] = first.subarray(part.length);
    else parts.shift();
  }
  return taken;
}
