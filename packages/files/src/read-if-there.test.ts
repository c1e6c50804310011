import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readIfThere } from "./read-if-there.ts";

test("readIfThere() distinguishes a missing file from an unreadable one", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "gam-files-"));
  t.after(() => rmSync(dir, { recursive: true }));
  assert.equal(await readIfThere(join(dir, "key")), undefined);
  writeFileSync(join(dir, "key"), "text");
  assert.equal(String(await readIfThere(join(dir, "key"))), "text");
  await assert.rejects(readIfThere(dir), { code: "EISDIR" });
});
