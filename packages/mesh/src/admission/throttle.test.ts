import assert from "node:assert/strict";
import { test } from "node:test";
import { Throttle } from "./throttle.ts";

test("a host may try in a burst, then once a second, and others are not held up", () => {
  const throttle = new Throttle(3);
  const at = (ms: number): boolean => throttle.allows("10.0.0.1", ms);
  assert.deepEqual([at(0), at(0), at(0), at(0), at(500)], [true, true, true, false, false]);
  assert.equal(throttle.allows("10.0.0.2", 0), true);
  assert.deepEqual([at(1000), at(1000), at(2000)], [true, false, true]);
  assert.deepEqual([at(9000), at(9000), at(9000), at(9000)], [true, true, true, false]);
});
