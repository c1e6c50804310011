import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decode, encode } from "./codec.ts";
import { GamError } from "./errors.ts";

// Of numbers, what every peer writes the same: no -0, which is written as 0. Of names, all but one.
const values = fc
  .jsonValue()
  .map((value) => JSON.stringify(value))
  .filter((text) => !text.includes('"__proto__"'))
  .map((text) => JSON.parse(text) as unknown);

test("what was encoded is decoded", () => {
  fc.assert(fc.property(values, (value) => assert.deepEqual(decode(encode(value)), value)));
});

test("a name that would change what an object is comes back as another", () => {
  const value = JSON.parse('{"a":{"__proto__":{"b":1}}}') as unknown;
  const decoded = decode(encode(value)) as { readonly a: object };
  assert.deepEqual(Object.keys(decoded.a), ["__proto_"]);
  assert.equal(Object.getPrototypeOf(decoded.a), Object.prototype);
});

test("an absent field and an undefined one are the same bytes", () => {
  assert.deepEqual(encode({ a: 1, b: undefined }), encode({ a: 1 }));
});

test("returned bytes never change", () => {
  const first = encode("first");
  const copy = Uint8Array.from(first);
  encode("second");
  assert.deepEqual(first, copy);
});

test("bytes that are no value are refused without other effects", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        decode(bytes);
      } catch (thrown) {
        assert.ok(thrown instanceof GamError && thrown.code === "BAD_FRAME", String(thrown));
      }
    }),
  );
  const whole = encode({ a: 1 });
  assert.throws(() => decode(whole.subarray(0, -1)), { code: "BAD_FRAME" });
  assert.throws(() => decode(Uint8Array.of(...whole, 0)), { code: "BAD_FRAME" });
});
