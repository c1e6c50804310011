import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatUnlockKey,
  makeUnlockKey,
  openUnlockKey,
  parseUnlockKey,
  sealUnlockKey,
} from "./unlock-key.ts";

test("an unlock key is written as Swarm writes it, and read back", () => {
  // As a Docker engine 20.10 showed it.
  const recorded = "SWMKEY-1-C5o6o0VNaw7NWshy3E00O8dXoWy2HPyiJLTgcZKs3W4";
  assert.equal(formatUnlockKey(parseUnlockKey(recorded)), recorded);
  assert.equal(formatUnlockKey(parseUnlockKey(` ${recorded}\n`)), recorded);
  const key = makeUnlockKey();
  assert.deepEqual(parseUnlockKey(formatUnlockKey(key)), key);
});

test("anything else is refused without being quoted", () => {
  const texts = ["", "SWMKEY-1-", "SWMKEY-2-C5o6o0VNaw7NWshy3E00O8dXoWy2HPyiJLTgcZKs3W4", "secret"];
  for (const text of texts) {
    assert.throws(() => parseUnlockKey(text), {
      code: "BAD_REQUEST",
      message: "invalid encryption key string",
    });
  }
});

test("only the same root key opens a sealed unlock key", () => {
  const [root, other] = [makeUnlockKey(), makeUnlockKey()];
  const key = makeUnlockKey();
  const sealed = sealUnlockKey(root, key);
  assert.deepEqual(openUnlockKey(root, sealed), key);
  assert.equal(openUnlockKey(other, sealed), undefined);
  assert.equal(openUnlockKey(root, sealed.subarray(1)), undefined);
});
