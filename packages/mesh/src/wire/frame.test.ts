import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FrameReader, writeFrame, writeFrames } from "./frame.ts";

const bodies = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });

test("what was written is read, however the bytes are cut", () => {
  fc.assert(
    fc.property(bodies, fc.array(fc.integer({ min: 1, max: 400 })), (sent, cuts) => {
      const bytes = writeFrames(sent);
      const reader = new FrameReader(300);
      const got: Uint8Array[] = [];
      let offset = 0;
      for (const cut of [...cuts, bytes.length]) {
        got.push(...reader.push(bytes.subarray(offset, offset + cut)));
        offset += cut;
      }
      assert.deepEqual(
        got.map((body) => [...body]),
        sent.map((body) => [...body]),
      );
    }),
  );
});

test("a frame of parts is the frame of their bytes", () => {
  fc.assert(
    fc.property(bodies, (parts) => {
      assert.deepEqual(writeFrame(parts), writeFrames([Buffer.concat(parts)]));
    }),
  );
});

test("a frame is judged by its first five bytes", () => {
  const cases = [
    { name: "too large", head: [0x05, 0xf5, 0xe1, 0x00, 1], want: /100000000 bytes announced/ },
    { name: "one byte too large", head: [0, 0, 0, 12, 1], want: /12 bytes announced, 1 to 11/ },
    { name: "empty", head: [0, 0, 0, 0, 1], want: /0 bytes announced/ },
    { name: "of another schema", head: [0, 0, 0, 2, 9], want: /schema version 9/ },
  ];
  for (const { name, head, want } of cases) {
    const reader = new FrameReader(10);
    assert.deepEqual(reader.push(Uint8Array.from(head.slice(0, 4))), [], name);
    assert.throws(() => reader.push(Uint8Array.from(head.slice(4))), { message: want }, name);
  }
});

test("random bytes are refused or incomplete, and never make a body beyond the bound", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 5, maxLength: 2000 }), (bytes) => {
      const reader = new FrameReader(100);
      try {
        for (const body of reader.push(bytes)) assert(body.length <= 100);
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, "BAD_FRAME");
      }
    }),
  );
});
