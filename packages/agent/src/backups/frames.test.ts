import assert from "node:assert/strict";
import { duplexPair, PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { encode } from "@gam/core";
import { seededRandom } from "@gam/core/testing";
import { sendFramed, shortAnswer, unframed } from "./frames.ts";

/** What sendFramed() writes. */
async function framed(pieces: readonly Buffer[], last: unknown): Promise<Buffer> {
  const [near, far] = duplexPair();
  const [sent] = await Promise.all([
    buffer(far),
    sendFramed(Readable.from(pieces), near, () => last),
  ]);
  return sent;
}

/** A stream that hands out the bytes in pieces of these sizes. */
function inPieces(bytes: Buffer, sizes: () => number): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; ) {
        const next = at + Math.max(1, sizes());
        yield bytes.subarray(at, next);
        at = next;
      }
    })(),
  );
}

test("what is sent arrives, in whatever pieces the network hands it out", async () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const random = seededRandom(seed);
    const pieces = Array.from({ length: random.below(6) }, () => {
      return Buffer.alloc(random.below(3000), `${random.below(10)}`);
    });
    const last = { sha256: "x", count: random.below(1000) };
    const wire = await framed(pieces, last);
    const sizeMax = 1 + random.below(2000);
    const arrived = unframed(inPieces(wire, () => random.below(sizeMax)));
    assert.deepEqual(await buffer(arrived.pieces), Buffer.concat(pieces), `seed ${seed}`);
    assert.deepEqual(arrived.last(), last);
  }
});

test("a stream that is cut off at any byte never looks whole", async () => {
  const wire = await framed([Buffer.from("some"), Buffer.from("files")], { ok: 1 });
  for (let bytes = 0; bytes < wire.length; bytes += 1) {
    const arrived = unframed(inPieces(wire.subarray(0, bytes), () => 3));
    await assert.rejects(async () => {
      await buffer(arrived.pieces);
      // Cut within the last word: it cannot be read.
      assert.deepEqual(arrived.last(), { ok: 1 });
    }, `${bytes} of ${wire.length}`);
  }
});

test("pieces and last words without measure are refused", async () => {
  const long = Buffer.alloc(8, 0xff);
  await assert.rejects(buffer(unframed(Readable.from([long])).pieces), { code: "BAD_FRAME" });
  const tail = Buffer.concat([Buffer.alloc(4), Buffer.alloc((1 << 20) + 1)]);
  await assert.rejects(buffer(unframed(Readable.from([tail])).pieces), { code: "BAD_FRAME" });
  const answer = Readable.from([Buffer.alloc((1 << 20) + 1)]);
  await assert.rejects(shortAnswer(answer), { code: "BAD_FRAME" });
  await assert.rejects(shortAnswer(Readable.from([])), { code: "UNREACHABLE" });
  assert.deepEqual(await shortAnswer(Readable.from([Buffer.from(encode({ a: 1 }))])), { a: 1 });
});

test("a reader that hangs up ends the sender, and so does a source that fails", async () => {
  const [near, far] = duplexPair();
  near.on("error", () => undefined);
  far.on("error", () => undefined);
  const endless = new PassThrough();
  endless.write(Buffer.alloc(100));
  const sending = sendFramed(endless, near, () => ({}));
  near.destroy();
  endless.write(Buffer.alloc(100));
  await assert.rejects(sending, { code: "UNREACHABLE" });
  const [other] = duplexPair();
  const failing = Readable.from(
    (async function* () {
      yield Buffer.from("half");
      throw new Error("the disk failed");
    })(),
  );
  await assert.rejects(
    sendFramed(failing, other, () => ({})),
    /the disk failed/,
  );
});
