import assert from "node:assert/strict";
import { test } from "node:test";
import { announced, checkVersion, forEngine, unversioned } from "./api-version.ts";

test("the engine's version is announced, but never less than 1.44", () => {
  assert.equal(announced(undefined), "1.44");
  assert.equal(announced("1.41"), "1.44");
  assert.equal(announced("1.9"), "1.44");
  assert.equal(announced("1.51"), "1.51");
});

const cases = [
  { url: "/v1.44/info?x=/v1.2/", bare: "/info?x=/v1.2/", engine: "/v1.41/info?x=/v1.2/" },
  { url: "/v1.41/info", bare: "/info", engine: "/v1.41/info" },
  { url: "/v1.9/info", bare: "/info", engine: "/v1.9/info" },
  { url: "/info", bare: "/info", engine: "/info" },
  { url: "/volumes/v1.44", bare: "/volumes/v1.44", engine: "/volumes/v1.44" },
  { url: "/v1.44", bare: "/", engine: "/v1.41" },
];
for (const { url, bare, engine } of cases) {
  test(`${url} is ${bare} here and ${engine} for an engine of 1.41`, () => {
    assert.equal(unversioned(url), bare);
    assert.equal(forEngine(url, "1.41"), engine);
    assert.equal(forEngine(url, undefined), bare);
  });
}

test("clients between the oldest and the newest version are let in", () => {
  for (const url of ["/info", "/v1.24/info", "/v1.44/info"]) checkVersion(url, "1.44");
  for (const url of ["/v1.23/info", "/v1.45/info", "/v2.0/info"]) {
    assert.throws(() => checkVersion(url, "1.44"), { status: 400 });
  }
});
