import assert from "node:assert/strict";
import { test } from "node:test";
import { compareTimes, sinceText, timeHead, timeOf } from "./log-times.ts";

const read = (text: string): ReturnType<typeof timeOf> => timeOf(Buffer.from(text));

test("the time of a line sorts to the nanosecond, in any zone", () => {
  const lines = [
    "2026-11-30T18:20:06.123456788Z a=b one",
    "2026-11-30T20:20:06.123456789+02:00 two",
    "2026-11-30T13:20:06.124000000-05:00 three",
  ].map((text) => read(text));
  assert.ok(lines.every((line) => line !== undefined));
  const times = lines.map((line) => line?.time ?? { ms: 0, nanos: 0 });
  for (let at = 1; at < times.length; at += 1) {
    const [before, after] = times.slice(at - 1);
    assert.ok(before && after && compareTimes(before, after) < 0);
  }
  assert.equal(lines[0]?.textAt, 31);
  assert.equal(lines[1]?.textAt, 36);
});

for (const text of ["", "hello", "2026-11-30T18:20:06Z no", "2026-13-30T18:20:06.123456789Z x"]) {
  test(`"${text}" has no time in front`, () => assert.equal(read(text), undefined));
}

test("a time becomes the engine's since", () => {
  const time = read("2026-11-30T18:20:06.003456789Z x")?.time;
  assert.ok(time);
  assert.equal(sinceText(time), "1796062806.003456789");
});

test("gam's own lines have the engine's form of time", () => {
  const line = `${timeHead(1796062806003)}x`;
  assert.equal(line, "2026-11-30T18:20:06.003000000Z x");
  assert.equal(read(line)?.textAt, 31);
});
