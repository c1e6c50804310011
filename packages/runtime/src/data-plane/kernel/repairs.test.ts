import assert from "node:assert/strict";
import { test } from "node:test";
import { Repairs } from "./repairs.ts";

test("three repairs are free, and each further one waits twice as long", () => {
  const repairs = new Repairs();
  let nowMs = 0;
  for (const want of [0, 0, 0, 15_000, 30_000, 60_000, 120_000]) {
    assert.equal(repairs.waitMs(nowMs), want);
    nowMs += want;
    assert.equal(repairs.waitMs(nowMs), 0);
    repairs.done(nowMs);
  }
});

test("after ten quiet minutes repairs are free again", () => {
  const repairs = new Repairs();
  for (let n = 0; n < 8; n += 1) repairs.done(n);
  assert.ok(repairs.waitMs(10) > 0);
  assert.equal(repairs.count(10), 8);
  assert.equal(repairs.waitMs(600_010), 0);
  assert.equal(repairs.count(600_010), 0);
});
