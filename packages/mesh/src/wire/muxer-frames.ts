/**
 * Muxer frames: how much one frame of Yamux may announce.
 *
 *   version | type | flags (2 bytes) | stream (4 bytes) | length (4 bytes) | data, for type 0
 *
 * libp2p keeps the bytes of a data frame until it is complete, and checks the window only then. So a stranger
 * could announce four gigabytes, send them, and fill the agent's memory. To prevent that, every byte passes
 * here first. Decides only about the length. libp2p reads what frames mean.
 *
 * Source: Yamux specification, "Framing".
 */
import { GamError } from "@gam/core";
import type { MessageStream, StreamMuxerFactory } from "@libp2p/interface";

const headerBytes = 12;
const dataType = 0;
const typeAt = 1;
const lengthAt = 8;

/** Checks the bytes of one connection. */
export class MuxerFrames {
  readonly #dataBytesMax: number;
  readonly #header = new Uint8Array(headerBytes);
  #have = 0;
  /** Bytes of the current frame's data that have not come yet. */
  #left = 0;

  constructor(dataBytesMax: number) {
    this.#dataBytesMax = dataBytesMax;
  }

  /** Errors: BAD_FRAME for a frame that announces too much. Then nothing of `chunk` may be passed on. */
  read(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const skipped = Math.min(this.#left, chunk.length - at);
      this.#left -= skipped;
      at += skipped;
      const taken = chunk.subarray(at, at + headerBytes - this.#have);
      this.#header.set(taken, this.#have);
      this.#have += taken.length;
      at += taken.length;
      if (this.#have < headerBytes) return;
      this.#have = 0;
      this.#left = this.#dataLength();
    }
  }

  #dataLength(): number {
    if (this.#header[typeAt] !== dataType) return 0;
    const length = new DataView(this.#header.buffer).getUint32(lengthAt);
    if (length <= this.#dataBytesMax) return length;
    throw new GamError(
      "BAD_FRAME",
      `Cannot read muxer frame: ${length} bytes announced, at most ${this.#dataBytesMax} allowed`,
    );
  }
}

/** The part of a muxer where a connection's bytes come in. An error there ends the connection. */
interface Intake {
  onData(data: Uint8Array | Iterable<Uint8Array>): void;
}

/** Makes the muxers of `factory` refuse larger data frames, which ends the connection. */
export function boundFrames(
  factory: StreamMuxerFactory,
  dataBytesMax: number,
  onRubbish: (connection: MessageStream, error: GamError) => void,
): void {
  const make = factory.createStreamMuxer.bind(factory);
  factory.createStreamMuxer = (connection) => {
    const muxer = make(connection);
    const intake = muxer as unknown as Intake;
    const take = intake.onData.bind(intake);
    const frames = new MuxerFrames(dataBytesMax);
    intake.onData = (data) => {
      try {
        for (const chunk of data instanceof Uint8Array ? [data] : data) frames.read(chunk);
      } catch (thrown) {
        if (thrown instanceof GamError) onRubbish(connection, thrown);
        throw thrown;
      }
      take(data);
    };
    return muxer;
  };
}
