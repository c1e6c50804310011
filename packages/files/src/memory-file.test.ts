import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { test } from "node:test";
import { withMemoryFile } from "./memory-file.ts";

test("withMemoryFile() removes the file, also after a failure", async () => {
  const paths: string[] = [];
  const read = await withMemoryFile("secret", async (path) => {
    paths.push(path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    return readFileSync(path, "utf8");
  });
  assert.equal(read, "secret");
  await assert.rejects(
    withMemoryFile("secret", async (path) => {
      paths.push(path);
      throw new Error("refused");
    }),
    /refused/,
  );
  assert.equal(paths.length, 2);
  assert.deepEqual(paths.filter(existsSync), []);
});
