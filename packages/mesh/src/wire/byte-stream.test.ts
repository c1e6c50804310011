import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, test } from "node:test";
import { GamError } from "@gam/core";
import { type MeshPeer, MeshWorld, until } from "../testing/mesh-world.ts";
import { defaultLimits } from "../trust/limits.ts";

let world: MeshWorld;
beforeEach(() => {
  world = new MeshWorld();
});
afterEach(() => world.close());

async function two(): Promise<[MeshPeer, MeshPeer]> {
  const [a, b] = await world.mesh(2);
  assert(a !== undefined && b !== undefined);
  return [a, b];
}

test("bytes go both ways, and each half ends by itself", async () => {
  const [a, b] = await two();
  b.mesh.handleStream("echo", async (from, header, stream) => {
    assert.equal(from, a.nodeId);
    stream.write(header);
    await pipeline(stream, new PassThrough(), stream);
  });
  const stream = await a.mesh.stream(b.nodeId, "echo", Buffer.from("head "));
  const sent = Buffer.alloc(3 * 1024 * 1024, "gam");
  stream.end(sent);
  const got = await buffer(stream);
  assert.equal(got.subarray(0, 5).toString(), "head ");
  assert(got.subarray(5).equals(sent));
});

test("the end of the input is not the end of the output", async () => {
  const [a, b] = await two();
  b.mesh.handleStream("count", async (_, __, stream) => {
    const got = await buffer(stream);
    stream.end(`${got.length} bytes`);
  });
  const stream = await a.mesh.stream(b.nodeId, "count", new Uint8Array());
  stream.end("12345");
  assert.equal((await buffer(stream)).toString(), "5 bytes");
});

test("a writer waits for its reader", async () => {
  const [a, b] = await two();
  const total = 32 * 1024 * 1024;
  let written = 0;
  b.mesh.handle("turn", () => new Uint8Array());
  b.mesh.handleStream("flood", async (_, __, stream) => {
    const piece = Buffer.alloc(64 * 1024, 7);
    while (written < total) {
      written += piece.length;
      if (!stream.write(piece)) await once(stream, "drain");
    }
    stream.end();
  });
  const stream = await a.mesh.stream(b.nodeId, "flood", new Uint8Array());
  // Nothing reads. Each request goes the way of the bytes, there and back.
  for (let turn = 0; turn < 100; turn += 1) {
    await a.mesh.request(b.nodeId, { name: "turn", body: new Uint8Array(), timeoutMs: 5_000 });
  }
  // Buffered by the reader, on the way, buffered by the writer, and the piece that exceeded the buffer.
  const boundBytes = 3 * defaultLimits.windowBytes + 64 * 1024;
  assert(written <= boundBytes, `${written} bytes were written, at most ${boundBytes} wanted`);
  assert.equal((await buffer(stream)).length, total);
});

test("a handler's error ends the stream at the other end, by its code", async () => {
  const [a, b] = await two();
  b.mesh.handleStream("broken", async (_, __, stream) => {
    stream.write("some");
    await once(stream, "data");
    throw new GamError("NOT_FOUND", "Cannot read logs: no such container");
  });
  const stream = await a.mesh.stream(b.nodeId, "broken", new Uint8Array());
  stream.write("go on");
  await assert.rejects(buffer(stream), {
    code: "NOT_FOUND",
    message: "Cannot read logs: no such container",
  });
  await assert.rejects(a.mesh.stream(b.nodeId, "unheard", new Uint8Array()), {
    code: "NOT_SUPPORTED",
  });
});

test("a lost peer ends its streams", async () => {
  const [a, b] = await two();
  b.mesh.handleStream("wait", () => undefined);
  const stream = await a.mesh.stream(b.nodeId, "wait", new Uint8Array());
  const ended = assert.rejects(buffer(stream), { code: "UNREACHABLE" });
  await b.mesh.close();
  await ended;
  await assert.rejects(a.mesh.stream(b.nodeId, "wait", new Uint8Array()), { code: "UNREACHABLE" });
});

test("the reader may hang up, and the writer learns it", async () => {
  const [a, b] = await two();
  const told = until("the writer to learn it", (done: (value: string) => void) => {
    b.mesh.handleStream("logs", (_, __, stream) => {
      stream.on("error", (error: GamError) => done(error.code));
      stream.write("line\n");
    });
  });
  const stream = await a.mesh.stream(b.nodeId, "logs", new Uint8Array());
  await once(stream, "data");
  stream.destroy();
  assert.equal(await told, "UNREACHABLE");
});

test("what is written at once arrives as one piece", async () => {
  const [a, b] = await two();
  b.mesh.handleStream("corked", (_, __, stream) => {
    stream.cork();
    for (const text of ["5\r\n", "hello", "\r\n"]) stream.write(text);
    stream.uncork();
    stream.end();
  });
  const stream = await a.mesh.stream(b.nodeId, "corked", new Uint8Array());
  const pieces: string[] = [];
  for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece.toString());
  assert.deepEqual(pieces, ["5\r\nhello\r\n"]);
});
