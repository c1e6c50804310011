import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decode, encode } from "./codec.ts";
import { formProblem } from "./plain-form.ts";

const numbers = [
  0,
  127,
  128,
  2 ** 16,
  2 ** 32,
  2 ** 40,
  2 ** 53,
  -1,
  -33,
  -(2 ** 40),
  0.1,
  Number.NaN,
];
const texts = [0, 31, 32, 255, 256, 65_535, 65_536].map((length) => "x".repeat(length));

test("every value that is sent has the form", () => {
  const values = fc.anything({
    values: [
      fc.constantFrom(...numbers, ...texts, undefined, null, true),
      fc.uint8Array({ maxLength: 300 }),
      fc.double(),
    ],
    maxDepth: 5,
  });
  fc.assert(fc.property(values, (value) => assert.equal(formProblem(encode(value)), undefined)));
  for (const text of texts) assert.equal(formProblem(encode([text, Buffer.from(text)])), undefined);
  const many = Array.from({ length: 70_000 }, (_, at) => at);
  assert.equal(formProblem(encode({ many, map: Object.fromEntries(many.entries()) })), undefined);
});

test("cut bytes, or one byte more, do not have the form", () => {
  const whole = encode({ a: [1, "two", Uint8Array.of(3), { b: 0.5 }], c: "x".repeat(300) });
  for (let end = 0; end < whole.length; end += 1) {
    assert.equal(formProblem(whole.subarray(0, end)), "it ends early", `at ${end}`);
  }
  assert.equal(formProblem(Uint8Array.of(...whole, 0)), "it has bytes after its end");
});

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const refused: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ["a date", bytes("d6ff00000001"), /never sent, at byte 0/],
  ["a pattern", bytes("d7789261613000000000"), /never sent/],
  ["a set within a list", bytes("91d47300"), /never sent, at byte 1/],
  ["a record that makes code", bytes("d4724091a161"), /never sent/],
  ["a typed array", bytes("c70274030102"), /never sent/],
  ["the mark of a cycle", bytes("d66900000001"), /never sent/],
  ["a number that only a bigint holds", bytes("cf8000000000000000"), /never sent/],
  ["a byte without a meaning", bytes("c1"), /never sent/],
  ["extension 0 with another byte", bytes("d40001"), /never sent/],
  ["a list of four billion", bytes("ddffffffff"), /ends early/],
  ["a map of four billion", bytes("dfffffffff"), /ends early/],
  ["a string of four billion", bytes("dbffffffff"), /ends early/],
  ["nothing at all", bytes(""), /ends early/],
  ["a list in a list, 65 times", bytes(`${"91".repeat(65)}c0`), /deeper than 64/],
  ["a map in a map, a million times", bytes("81a161".repeat(1_000_000)), /deeper than 64/],
];
for (const [name, input, want] of refused) {
  test(`${name} is refused`, () => {
    assert.match(formProblem(input) ?? "taken", want);
    assert.throws(() => decode(input), { code: "BAD_FRAME" });
  });
}

test("a list in a list, 64 times, is taken", () => {
  assert.equal(formProblem(bytes(`${"91".repeat(64)}c0`)), undefined);
});
