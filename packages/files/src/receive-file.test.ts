import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { receiveFile } from "./receive-file.ts";

const pieces = [Buffer.from("one "), Buffer.from("two"), Buffer.alloc(100_000, "x")];
const sha256 = createHash("sha256").update(Buffer.concat(pieces)).digest("hex");

async function* stream(end?: Error): AsyncGenerator<Uint8Array> {
  yield* pieces;
  if (end !== undefined) throw end;
}

const cases = [
  { name: "keeps a stream with the right sum", sha256, bytesMax: 1e6 },
  { name: "refuses another sum", sha256: "0".repeat(64), bytesMax: 1e6, error: /its sha256 is/ },
  { name: "refuses too many bytes", sha256, bytesMax: 100_006, error: /more than 100006 bytes/ },
  {
    name: "leaves nothing of a stream that breaks",
    sha256,
    bytesMax: 1e6,
    end: new Error("the peer hung up"),
    error: /the peer hung up/,
  },
];

for (const { name, error, end, ...received } of cases) {
  test(`receiveFile() ${name}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "gam-files-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "file");
    const made = receiveFile(path, stream(end), received);
    if (error !== undefined) {
      await assert.rejects(made, error);
      assert.deepEqual(readdirSync(folder), []);
      return;
    }
    await made;
    assert.deepEqual(readFileSync(path), Buffer.concat(pieces));
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });
}
