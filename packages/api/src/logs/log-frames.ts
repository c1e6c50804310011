/**
 * Log frames: the engine's way of sending two streams over one connection.
 *
 * A frame is a header of 8 bytes (1: stdout, 2: stderr, three zero bytes, length as a 32-bit number,
 * highest byte first) and that many bytes: one line of a log, or a piece of a long one.
 *
 * Source: Docker Engine API, ContainerAttach, "Stream format".
 */
import type { Readable } from "node:stream";
import { GamError } from "@gam/core";

export interface LogFrame {
  /** 1: stdout, 2: stderr. */
  readonly stream: number;
  readonly payload: Buffer;
}

/** The engine sends at most 16 KiB and a few attributes. */
const payloadBytesMax = 1024 * 1024;
const headerBytes = 8;

/** The client's error stream, for messages of the server. */
export const serverStream = 3;

/** Returns: the frame in the engine's form. */
export function encodeFrame({ stream, payload }: LogFrame): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame.fill(0, 0, headerBytes);
  frame[0] = stream;
  frame.writeUInt32BE(payload.length, 4);
  payload.copy(frame, headerBytes);
  return frame;
}

/**
 * Yields the frames of an engine's stream, no faster than the caller takes them. Drops a frame that is cut off
 * at the end.
 *
 * Errors: GamError BAD_FRAME for invalid bytes.
 */
export async function* decodeFrames(source: Readable): AsyncGenerator<LogFrame> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source as AsyncIterable<Buffer>) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    let at = 0;
    while (held.length - at >= headerBytes) {
      const length = held.readUInt32BE(at + 4);
      const stream = held[at] ?? 0;
      if (stream > 3 || length > payloadBytesMax) {
        throw new GamError(
          "BAD_FRAME",
          `Cannot read log: frame of stream ${stream}, ${length} bytes`,
        );
      }
      if (held.length - at < headerBytes + length) break;
      const payload = held.subarray(at + headerBytes, at + headerBytes + length);
      at += headerBytes + length;
      yield { stream, payload };
    }
    held = held.subarray(at);
  }
}

/** Yields the lines of a terminal's stream, which has no frames. The last line may lack its end. */
export async function* splitLines(source: Readable): AsyncGenerator<LogFrame> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source as AsyncIterable<Buffer>) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    let at = 0;
    for (let end = held.indexOf(10); end >= 0; end = held.indexOf(10, at)) {
      yield { stream: 1, payload: held.subarray(at, end + 1) };
      at = end + 1;
    }
    held = held.subarray(at);
    if (held.length > payloadBytesMax) {
      yield { stream: 1, payload: held };
      held = Buffer.alloc(0);
    }
  }
  if (held.length > 0) yield { stream: 1, payload: held };
}
