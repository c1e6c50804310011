/**
 * Frames: bytes of unknown length on a stream of the mesh, and a last word behind them.
 *
 * Each piece has its length before it; the length 0 announces the last word. A stream that was cut off has no last
 * word, so it never looks whole.
 */
import type { Duplex, Readable, Writable } from "node:stream";
import { Readable as NodeReadable } from "node:stream";
import { decode, encode, GamError } from "@gam/core";

const headBytes = 4;
/** Longer than any piece that a stream hands out. */
const pieceBytesMax = 1 << 26;
const lastBytesMax = 1 << 20;

/** Sends all of `from`, then the last word, and ends that half of the stream. Errors: those of both streams. */
export async function sendFramed(from: Readable, to: Duplex, last: () => unknown): Promise<void> {
  for await (const piece of from as AsyncIterable<Buffer>) {
    if (piece.length === 0) continue;
    await write(to, head(piece.length));
    await write(to, piece);
  }
  to.end(Buffer.concat([head(0), encode(last())]));
}

function head(bytes: number): Buffer {
  const buffer = Buffer.alloc(headBytes);
  buffer.writeUInt32BE(bytes);
  return buffer;
}

async function write(to: Writable, piece: Uint8Array): Promise<void> {
  const isOpen = !to.destroyed && !to.writableEnded;
  if (isOpen && to.write(piece)) return;
  await new Promise<void>((resolve, reject) => {
    const cut = (): void => reject(to.errored ?? cutOff());
    if (!isOpen || to.destroyed) return cut();
    to.once("drain", () => {
      to.off("close", cut);
      resolve();
    });
    to.once("close", cut);
  });
}

function cutOff(): GamError {
  return new GamError("UNREACHABLE", "Cannot read stream: it was cut off");
}

/** What sendFramed() has sent. */
export interface Framed {
  readonly pieces: Readable;
  /** Returns: the last word. Called when the pieces have ended. */
  readonly last: () => unknown;
}

/** Errors, of `pieces`: UNREACHABLE for a stream that was cut off; BAD_FRAME; those of `from`. */
export function unframed(from: Readable): Framed {
  let last: unknown;
  const pieces = NodeReadable.from(
    split(from, (bytes) => {
      last = decode(bytes);
    }),
    { objectMode: false, highWaterMark: 1 << 18 },
  );
  return { pieces, last: () => last };
}

async function* split(
  from: Readable,
  ended: (last: Uint8Array) => void,
): AsyncGenerator<Buffer, void> {
  let start = Buffer.alloc(0);
  /** Of the present piece. */
  let left = 0;
  const tail: Buffer[] = [];
  let tailBytes = 0;
  let isLast = false;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    let at = 0;
    while (at < chunk.length) {
      if (isLast) {
        tail.push(chunk.subarray(at));
        tailBytes += chunk.length - at;
        if (tailBytes > lastBytesMax) throw badFrame("its last word is too long");
        break;
      }
      if (left > 0) {
        const piece = chunk.subarray(at, at + left);
        at += piece.length;
        left -= piece.length;
        yield piece;
        continue;
      }
      const part = chunk.subarray(at, at + headBytes - start.length);
      start = Buffer.concat([start, part]);
      at += part.length;
      if (start.length < headBytes) break;
      left = start.readUInt32BE(0);
      if (left > pieceBytesMax) throw badFrame(`a piece has ${left} bytes`);
      isLast = left === 0;
      start = Buffer.alloc(0);
    }
  }
  if (tailBytes === 0) throw cutOff();
  ended(Buffer.concat(tail));
}

function badFrame(found: string): GamError {
  return new GamError("BAD_FRAME", `Cannot read stream: ${found}`);
}

/** Resolves to a short answer. Errors: BAD_FRAME for a long one; those of the stream. */
export async function shortAnswer(from: Readable): Promise<unknown> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of from as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > lastBytesMax) throw badFrame("the answer is too long");
    pieces.push(piece);
  }
  if (bytes === 0) throw cutOff();
  return decode(Buffer.concat(pieces));
}
