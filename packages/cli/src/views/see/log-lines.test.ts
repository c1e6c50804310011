import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LogLines } from "./log-lines.ts";

function frame(stream: number, text: string | Buffer): Buffer {
  const payload = typeof text === "string" ? Buffer.from(text) : text;
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

function read(pieces: readonly Buffer[], type: string): string[] {
  const said: string[] = [];
  const lines = new LogLines({
    print: (line) => said.push(line),
    complain: (line) => said.push(`! ${line}`),
  });
  for (const piece of pieces) lines.add(piece, type);
  lines.end();
  return said;
}

const framed = "application/vnd.docker.multiplexed-stream";

test("a stream gives the same lines however it is cut", () => {
  const bytes = Buffer.concat([
    frame(1, "one\n"),
    frame(2, "wrong\n"),
    frame(1, "begun "),
    frame(1, "and ended ü\nlast"),
  ]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: bytes.length })), (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const pieces = at.slice(1).map((end, n) => bytes.subarray(at[n], end));
      assert.deepEqual(read(pieces, framed), ["one", "! wrong", "begun and ended ü", "last"]);
    }),
  );
});

test("a character may begin in one frame and end in the next", () => {
  const [first, second] = [Buffer.from("ü").subarray(0, 1), Buffer.from("ü").subarray(1)];
  const pieces = [frame(1, first), frame(2, "!\n"), frame(1, second), frame(1, first)];
  assert.deepEqual(read(pieces, framed), ["! !", "ü\ufffd"]);
});

test("a terminal's stream gives the same lines however it is cut", () => {
  const bytes = Buffer.from("grün\nlast €");
  for (let at = 0; at <= bytes.length; at += 1) {
    const pieces = [bytes.subarray(0, at), bytes.subarray(at)];
    assert.deepEqual(read(pieces, "application/vnd.docker.raw-stream"), ["grün", "last €"]);
  }
});

test("a terminal's stream has no frames", () => {
  assert.deepEqual(read([Buffer.from("a\nb")], "application/vnd.docker.raw-stream"), ["a", "b"]);
});
