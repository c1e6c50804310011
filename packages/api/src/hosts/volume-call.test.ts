import assert from "node:assert/strict";
import { test } from "node:test";
import { isVolumeCall, volumeReference } from "./volume-call.ts";

const calls: readonly (readonly [string, string, boolean])[] = [
  ["GET", "/volumes", true],
  ["GET", "/v1.41/volumes?filters=%7B%7D", true],
  ["GET", "/v1.41/volumes/db_data", true],
  ["DELETE", "/volumes/db_data?force=1", true],
  ["POST", "/v1.41/volumes/create", true],
  ["POST", "/volumes/prune?filters=%7B%7D", true],
  ["PUT", "/volumes/db_data", false],
  ["POST", "/volumes/db_data", false],
  ["GET", "/volumes/host2/db_data", false],
  ["GET", "/volumes/../info", false],
  ["GET", "/volumes/%2e%2e", false],
  ["DELETE", "/volumes", false],
  ["GET", "/images/json", false],
];

for (const [method, url, want] of calls) {
  test(`${method} ${url} is ${want ? "" : "not "}taken from other hosts`, () => {
    assert.equal(isVolumeCall(method, url), want);
  });
}

test("a volume is named alone or with its host", () => {
  assert.deepEqual(volumeReference("db"), { host: undefined, name: "db" });
  assert.deepEqual(volumeReference("host2/db"), { host: "host2", name: "db" });
  for (const text of ["", "/", "a/b/c", "a/", "/a", "..", "a b", "a/.."]) {
    assert.equal(volumeReference(text), undefined, text);
  }
});
