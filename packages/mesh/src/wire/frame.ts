/**
 * Frame: how messages are separated on a stream.
 *
 *   length of the rest (4 bytes, big endian) | schema version (1 byte) | body
 *
 * Decides when a frame is too large: the length is checked before a byte of the body is kept. Does not
 * decide what a body means.
 */
import { GamError } from "@gam/core";

const schemaVersion = 1;
const lengthBytes = 4;
/** Bytes of a frame before its body. */
export const headBytes = lengthBytes + 1;

/** Bytes on the wire of one frame with `body`. */
export function frameBytes(body: Uint8Array): number {
  return headBytes + body.length;
}

/** One buffer with a frame for each body, so that a burst is one write. */
export function writeFrames(bodies: readonly Uint8Array[]): Uint8Array {
  let total = 0;
  for (const body of bodies) total += frameBytes(body);
  const buffer = Buffer.allocUnsafe(total);
  let offset = 0;
  for (const body of bodies) {
    writeHead(buffer, offset, body.length);
    buffer.set(body, offset + headBytes);
    offset += frameBytes(body);
  }
  return buffer;
}

/** One buffer with one frame, whose body is these parts one after the other. */
export function writeFrame(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const buffer = Buffer.allocUnsafe(headBytes + length);
  writeHead(buffer, 0, length);
  let offset = headBytes;
  for (const part of parts) {
    buffer.set(part, offset);
    offset += part.length;
  }
  return buffer;
}

function writeHead(buffer: Buffer, offset: number, bodyLength: number): void {
  buffer.writeUInt32BE(bodyLength + 1, offset);
  buffer[offset + lengthBytes] = schemaVersion;
}

/** Cuts a stream of bytes into bodies. One reader per stream; unusable after an error. */
export class FrameReader {
  readonly #bodyBytesMax: number;
  #chunks: Uint8Array[] = [];
  #held = 0;

  constructor(bodyBytesMax: number) {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /**
   * Shape:  bodies may be views of `chunk`. Never holds more than one frame and one chunk.
   * Errors: BAD_FRAME for a frame that is too large or of another schema.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    const bodies: Uint8Array[] = [];
    while (this.#held >= headBytes) {
      const head = this.#peek(headBytes);
      const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
      if (length < 1 || length - 1 > this.#bodyBytesMax) {
        throw new GamError(
          "BAD_FRAME",
          `Cannot read frame: ${length} bytes announced, 1 to ${this.#bodyBytesMax + 1} allowed`,
        );
      }
      const version = head[lengthBytes];
      if (version !== schemaVersion) {
        throw new GamError(
          "BAD_FRAME",
          `Cannot read frame: schema version ${version}, this peer reads ${schemaVersion}`,
        );
      }
      if (this.#held < lengthBytes + length) break;
      bodies.push(this.#take(lengthBytes + length).subarray(headBytes));
    }
    return bodies;
  }

  /** The first `count` bytes in one piece, without removing them. */
  #peek(count: number): Uint8Array {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= count) return first.subarray(0, count);
    const whole = Buffer.concat(this.#chunks);
    this.#chunks = [whole];
    return whole.subarray(0, count);
  }

  #take(count: number): Uint8Array {
    const taken = this.#peek(count);
    const [first] = this.#chunks;
    if (first !== undefined) {
      if (first.length === count) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(count);
    }
    this.#held -= count;
    return taken;
  }
}
