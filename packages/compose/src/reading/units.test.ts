import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBytes, parseCpus } from "./units.ts";

const sizes: readonly [text: string, want: number | undefined][] = [
  ["0", 0],
  ["1048576", 1048576],
  ["64M", 64 * 2 ** 20],
  ["64m", 64 * 2 ** 20],
  ["64mb", 64 * 2 ** 20],
  ["64MiB", 64 * 2 ** 20],
  ["1.5g", 1.5 * 2 ** 30],
  ["1 k", 1024],
  ["2t", 2 * 2 ** 40],
  ["5b", 5],
  ["", undefined],
  ["lots", undefined],
  ["-1", undefined],
  ["1x", undefined],
];
for (const [text, want] of sizes) {
  test(`parseBytes() ${text}`, () => assert.equal(parseBytes(text), want));
}

const shares: readonly [text: string, want: number | undefined][] = [
  ["2", 2e9],
  ["0.50", 5e8],
  [".25", 25e7],
  ["1.", 1e9],
  ["0.000000001", 1],
  ["0.0000000001", undefined],
  ["", undefined],
  [".", undefined],
  ["1,5", undefined],
  ["-1", undefined],
];
for (const [text, want] of shares) {
  test(`parseCpus() ${text}`, () => assert.equal(parseCpus(text), want));
}
