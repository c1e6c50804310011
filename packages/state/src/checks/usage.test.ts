import assert from "node:assert/strict";
import { test } from "node:test";
import { checkUsage, type Usage } from "./usage.ts";

const usage: Usage = {
  cpu: 0.5,
  memoryBytes: 1,
  memoryTotalBytes: 2,
  load: 0.1,
  containers: 3,
  images: ["tiny:1"],
  diskFreeBytes: 4,
  atMs: 5,
};

test("a valid usage passes unchanged", () => {
  assert.deepEqual(checkUsage(usage, "usage"), usage);
});

for (const wrong of [
  { cpu: 2 },
  { cpu: Number.NaN },
  { containers: -1 },
  { images: [1] },
  { atMs: "" },
]) {
  test(`${JSON.stringify(wrong)} is no usage`, () => {
    assert.throws(() => checkUsage({ ...usage, ...wrong }, "usage"), { code: "BAD_FRAME" });
  });
}
