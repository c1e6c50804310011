/**
 * Streams: the places where libp2p's muxer makes and feeds each stream of a connection, for those who
 * have to be there before libp2p reads (negotiation.ts), and where it writes more often than it has to.
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

/** Of Yamux: both ends know of the stream. Before that an update carries news of it. */
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

/** To copy so much is cheaper than to hand it to the kernel in pieces. */
const joinedBytesMax = 4096;

/** One write for all that is sent within one turn: libp2p makes two of each frame otherwise. */
export function writeAtOnce(connection: RawConnection): void {
  const { socket } = connection;
  // It only goes through the pieces.
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

/** libp2p makes an event of each step of each frame, whether or not anybody listens to it. */
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
 * Noise reads frames until there is no length left, and that is an error. To make a new one each time, with its
 * stack, takes as long as to decrypt a small frame.
 */
export function endFramesCheaply({ decoder }: SealedConnection): void {
  assert(typeof decoder?.lengthDecoder === "function", "Noise reads lengths as it used to");
  const read = decoder.lengthDecoder.bind(decoder);
  decoder.lengthDecoder = (bytes) => {
    if (bytes.byteLength < lengthBytes) throw noLength;
    return read(bytes);
  };
}

/** The same muxer; `visit` sees each stream before anything has come in on it. */
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
 * Yamux grants every byte anew as soon as it has come, which doubles the frames of small messages. Half
 * a window at a time is as good, and is what other implementations do.
 */
export function grantByHalves(stream: RawStream): void {
  assert(typeof stream.sendWindowUpdate === "function", "Yamux grants windows as it used to");
  const grant = stream.sendWindowUpdate.bind(stream);
  stream.sendWindowUpdate = () => {
    const ample = stream.recvWindowCapacity > stream.recvWindow / 2;
    if (stream.state !== established || !ample) grant();
  };
}
