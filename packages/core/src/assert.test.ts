import assert from "node:assert/strict";
import { test } from "node:test";
import { BrokenInvariant, rethrowInvariant } from "./assert.ts";
import { GamError } from "./errors.ts";

test("rethrowInvariant() throws a broken invariant again, and nothing else", () => {
  const broken = new BrokenInvariant("two leaders in one term");
  assert.throws(() => rethrowInvariant(broken), broken);
  for (const thrown of [new GamError("REFUSED", "Cannot"), new TypeError("x"), "text", undefined]) {
    rethrowInvariant(thrown);
  }
});
