import assert from "node:assert/strict";
import { test } from "node:test";
import { MuxerFrames } from "./muxer-frames.ts";

const most = 100;

/** A header, followed by `data` bytes that would be too large a length if read as a header. */
function frame(type: number, length: number, data = 0): Buffer {
  const bytes = Buffer.alloc(12 + data, 0xff);
  bytes.writeUInt8(0, 0);
  bytes.writeUInt8(type, 1);
  bytes.writeUInt16BE(0, 2);
  bytes.writeUInt32BE(7, 4);
  bytes.writeUInt32BE(length, 8);
  return bytes;
}

const table: readonly (readonly [string, Buffer, boolean])[] = [
  ["data that fits", frame(0, most, most), true],
  ["more data by one byte", frame(0, most + 1), false],
  ["four gigabytes", frame(0, 0xffffffff), false],
  ["a window update by a large number", frame(1, 0xffffffff), true],
  ["a ping with a large number", frame(2, 0xffffffff), true],
  ["data is no header", Buffer.concat([frame(0, 60, 60), frame(0, 0), frame(0, 13, 13)]), true],
  ["too much behind what fits", Buffer.concat([frame(0, 60, 60), frame(0, most + 1)]), false],
  ["half a header", frame(0, 0xffffffff).subarray(0, 11), true],
];
for (const [name, bytes, isTaken] of table) {
  for (const step of [1, 5, 12, 13, 1000]) {
    test(`${name}, ${step} bytes at a time: ${isTaken ? "taken" : "refused"}`, () => {
      const frames = new MuxerFrames(most);
      const read = (): void => {
        for (let at = 0; at < bytes.length; at += step) frames.read(bytes.subarray(at, at + step));
      };
      if (isTaken) read();
      else assert.throws(read, { code: "BAD_FRAME" });
    });
  }
}
