import assert from "node:assert/strict";
import { test } from "node:test";
import { sizeText } from "./size.ts";

for (const [bytes, want] of [
  [0, "0 B"],
  [1023, "1023 B"],
  [64 * 2 ** 20, "64 MiB"],
  [1.5 * 2 ** 30, "1.5 GiB"],
  [2 ** 60, "1024 PiB"],
] as const) {
  test(`sizeText() of ${bytes} is ${want}`, () => assert.equal(sizeText(bytes), want));
}
