/**
 * Channel: frames over one libp2p stream, both ways.
 *
 * Decides nothing about what frames mean. Turns libp2p's errors and events into one `onClose`
 * and one `onRubbish`, each called at most once. Frames are passed on within the stream's own event,
 * so that a frame takes effect before the next stream is read.
 */
import { GamError, messageOf, rethrowInvariant } from "@gam/core";
import type { Stream } from "@libp2p/interface";
import { FrameReader, writeFrame, writeFrames } from "./frame.ts";

export interface ChannelOptions {
  readonly bodyBytesMax: number;
  readonly onFrame: (body: Uint8Array) => void;
  /** Anything came in. */
  readonly onHeard?: () => void;
  /** The stream takes bytes again. */
  readonly onDrain?: () => void;
  /** The other end sends no more, but may still read. Absent: the channel then closes. */
  readonly onEnd?: () => void;
  readonly onClose?: (reason: string | undefined) => void;
  /** The bytes are not a frame of this protocol. The stream is closed after this. */
  readonly onRubbish: (error: GamError) => void;
}

export class Channel {
  readonly #stream: Stream;
  readonly #options: ChannelOptions;
  readonly #reader: FrameReader;
  #closed = false;

  constructor(stream: Stream, options: ChannelOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#reader = new FrameReader(options.bodyBytesMax);
    stream.addEventListener("close", ({ error }) => {
      this.#end(error === undefined ? undefined : messageOf(error));
    });
    stream.addEventListener("drain", () => options.onDrain?.());
    stream.addEventListener("remoteCloseWrite", () => {
      if (options.onEnd === undefined) this.close();
      else options.onEnd();
    });
    // Last: adding a listener for messages delivers those that came before it.
    stream.addEventListener("message", ({ data }) => this.#receive(data.subarray()));
    if (stream.status !== "open") queueMicrotask(() => this.#end("stream ended early"));
  }

  get open(): boolean {
    return !this.#closed;
  }

  /** Whether the other end reads more slowly than this one sends. send() still works, and fills memory. */
  get blocked(): boolean {
    return this.#stream.writableNeedsDrain;
  }

  /** Returns whether the bytes were taken. A closed channel takes none, and reports it only here. */
  send(bodies: readonly Uint8Array[]): boolean {
    return !this.#closed && this.#write(writeFrames(bodies));
  }

  /** As send(), with one frame whose body is these parts one after the other. */
  sendParts(parts: readonly Uint8Array[]): boolean {
    return !this.#closed && this.#write(writeFrame(parts));
  }

  #write(bytes: Uint8Array): boolean {
    try {
      this.#stream.send(bytes);
      return true;
    } catch (thrown) {
      rethrowInvariant(thrown);
      this.abort(messageOf(thrown));
      return false;
    }
  }

  /** Sends what is waiting, then closes this side. */
  close(): void {
    this.#stream.close().catch((thrown) => {
      rethrowInvariant(thrown);
      this.abort(messageOf(thrown));
    });
  }

  abort(reason: string): void {
    this.#stream.abort(new Error(reason));
    this.#end(reason);
  }

  #receive(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.#options.onHeard?.();
    try {
      for (const body of this.#reader.push(chunk)) {
        if (this.#closed) return;
        this.#options.onFrame(body);
      }
    } catch (thrown) {
      if (!(thrown instanceof GamError)) throw thrown;
      // First, so that the reported reason is this error and not the closed stream.
      this.#options.onRubbish(thrown);
      this.abort(thrown.message);
    }
  }

  #end(reason: string | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.onClose?.(reason);
  }
}
