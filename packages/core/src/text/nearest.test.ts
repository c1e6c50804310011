import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "./nearest.ts";

test("nearest() finds what was meant and does not guess wildly", () => {
  const known = ["image", "environment", "ports", "deploy"];
  const words = ["imagee", "Ports", "enviroment", "x", "restart"];
  assert.deepEqual(
    words.map((word) => nearest(word, known)),
    ["image", "ports", "environment", undefined, undefined],
  );
});
