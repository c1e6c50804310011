import assert from "node:assert/strict";
import files from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { test } from "node:test";
import { applySettings } from "./kernel-settings.ts";

test("a device without settings needs none", async () => {
  assert.deepEqual(await applySettings("gam-gone", "bridge"), []);
});

test("a device that goes while it is looked at is no error", async (t) => {
  t.mock.method(files, "readFile", async () => "0\n");
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  assert.deepEqual(await applySettings("gam-gone", "bridge"), []);
});
