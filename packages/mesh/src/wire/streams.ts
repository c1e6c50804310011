/**
 * Streams: hooks into libp2p's muxer, where it makes and feeds each stream of a connection. For code that must
 * see bytes before libp2p does (negotiation.ts), and to write less often than libp2p does.
 */
import { assert } from "@gam/core";
import type { MessageStream, StreamMuxerFactory } from "@libp2p/interface";
import type { Inlet } from "./negotiation.ts";

/** The parts of a muxer through which every stream of a connection goes. */
interface Streams {
  onRemoteStream(stream: RawStream): void;
  createStream(options?: object): Promise<RawStream>;
}

/** The parts of a Yamux stream that are used here. */
export interface RawStream extends Inlet {
  readonly direction: "inbound" | "outbound";
  readonly state: number;
  readonly recvWindow: number;
  readonly recvWindowCapacity: number;
  sendWindowUpdate(): void;
}

/** Yamux's state when both ends know of the stream. Before that an update also carries a flag. */
const established = 3;

/** What libp2p hands to a connection: one or more pieces. */
export interface Pieces extends Iterable<Uint8Array> {
  readonly byteLength: number;
  subarray(): Uint8Array;
}

/** The parts of a TCP connection that are used here. */
export interface RawConnection {
  readonly socket: { cork(): void; uncork(): void };
  sendData(data: Pieces): unknown;
}

/** Up to this size a copy is cheaper than passing the kernel several pieces. */
const joinedBytesMax = 4096;

/** One write for all that is sent within one turn: libp2p makes two of each frame otherwise. */
export function writeAtOnce(connection: RawConnection): void {
  const { socket } = connection;
  // sendData() only iterates over the pieces.
  const send = connection.sendData.bind(connection) as (all: Iterable<Uint8Array>) => unknown;
  let corked = false;
  connection.sendData = (data) => {
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(() => {
        corked = false;
        socket.uncork();
      });
    }
    return send(data.byteLength <= joinedBytesMax ? [data.subarray()] : data);
  };
}

/** The parts of libp2p's emitters that are used here. */
export interface Emitter {
  listenerCount(type: string): number;
  safeDispatchEvent(type: string, detail?: object): boolean;
}

/** Skips events without a listener: libp2p makes one for each step of each frame. */
export function tellListenersOnly(emitter: Emitter): void {
  const tell = emitter.safeDispatchEvent.bind(emitter);
  emitter.safeDispatchEvent = (type, detail) =>
    emitter.listenerCount(type) === 0 || tell(type, detail);
}

/** The part of a connection of Noise that is used here. */
export interface SealedConnection {
  readonly decoder: { lengthDecoder(bytes: { readonly byteLength: number }): number };
}

const lengthBytes = 2;
const noLength = new RangeError("no whole length");

/**
 * Reuses one error object. Noise reads frames until no whole length is left, which throws. A new error with
 * its stack costs as much as decrypting a small frame.
 */
export function endFramesCheaply({ decoder }: SealedConnection): void {
  assert(typeof decoder?.lengthDecoder === "function", "Noise reads lengths as it used to");
  const read = decoder.lengthDecoder.bind(decoder);
  decoder.lengthDecoder = (bytes) => {
    if (bytes.byteLength < lengthBytes) throw noLength;
    return read(bytes);
  };
}

/** The same muxer, but `visit` gets each stream before any bytes have come on it. */
export function onEachStream(
  factory: StreamMuxerFactory,
  visit: (stream: RawStream, connection: MessageStream) => void,
): StreamMuxerFactory {
  const make = factory.createStreamMuxer.bind(factory);
  factory.createStreamMuxer = (connection) => {
    const muxer = make(connection);
    const streams = muxer as unknown as Streams;
    const take = streams.onRemoteStream.bind(streams);
    const create = streams.createStream.bind(streams);
    streams.onRemoteStream = (stream) => {
      visit(stream, connection);
      take(stream);
    };
    streams.createStream = async (options) => {
      const stream = await create(options);
      visit(stream, connection);
      return stream;
    };
    return muxer;
  };
  return factory;
}

/**
 * Grants window by halves. Yamux grants each byte again as soon as it has come, which doubles the frames of
 * small messages. Half a window at a time is as good, and is what other implementations do.
 */
export function grantByHalves(stream: RawStream): void {
  assert(typeof stream.sendWindowUpdate === "function", "Yamux grants windows as it used to");
  const grant = stream.sendWindowUpdate.bind(stream);
  stream.sendWindowUpdate = () => {
    const ample = stream.recvWindowCapacity > stream.recvWindow / 2;
    if (stream.state !== established || !ample) grant();
  };
}
