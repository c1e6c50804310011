import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c } from "./crc32c.ts";

// The first three are the examples of RFC 3720, appendix B.4.
const cases = [
  { name: "32 zeros", bytes: new Uint8Array(32), want: 0x8a9136aa },
  { name: "32 ones", bytes: new Uint8Array(32).fill(0xff), want: 0x62a8ab43 },
  { name: "0 to 31", bytes: Uint8Array.from({ length: 32 }, (_, n) => n), want: 0x46dd794e },
  { name: "nothing", bytes: new Uint8Array(0), want: 0 },
];

for (const { name, bytes, want } of cases) {
  test(`crc32c() of ${name}`, () => assert.equal(crc32c(bytes), want));
}

test("crc32c() goes on where it stopped", () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, n) => n * 7);
  assert.equal(crc32c(bytes.subarray(40), crc32c(bytes.subarray(0, 40))), crc32c(bytes));
});
