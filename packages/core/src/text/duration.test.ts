import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseDuration } from "./duration.ts";

const durations: readonly [text: string, want: number | undefined][] = [
  ["0", 0],
  ["10s", 10e9],
  ["1m30s", 90e9],
  ["1.5h", 5400e9],
  [".5s", 5e8],
  ["1h0m0.5s", 3600.5e9],
  ["100ms", 1e8],
  ["5us", 5000],
  ["5µs", 5000],
  ["7ns", 7],
  ["10", undefined],
  ["", undefined],
  ["s", undefined],
  ["1d", undefined],
  ["-1s", undefined],
  ["1s ", undefined],
  ["1 s", undefined],
];
for (const [text, want] of durations) {
  test(`parseDuration() ${text}`, () => assert.equal(parseDuration(text), want));
}

test("parseDuration() of a whole number of a unit is that many of it", () => {
  const unit = fc.constantFrom(["ns", 1], ["ms", 1e6], ["s", 1e9], ["m", 6e10], ["h", 3.6e12]);
  fc.assert(
    fc.property(fc.nat(1000), unit, (count, [name, nanoseconds]) => {
      assert.equal(parseDuration(`${count}${name}`), count * Number(nanoseconds));
    }),
  );
});
