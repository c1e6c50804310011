import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ForeignNames } from "./foreign-names.ts";

const [idA, idB] = ["a", "b"].map((one) => `sha256:${one.repeat(64)}`) as [string, string];

test("names outlive a restart, and a spoilt file begins anew", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "gam-names-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "names.json");
  const names = await ForeignNames.open(path);
  names.note(`shop:1@${idB}`, idA);
  names.note(`shop:2@${idB}`, idA);
  names.note("gone", idB);
  names.forget("gone");
  await names.settled();
  const again = await ForeignNames.open(path);
  assert.equal(again.idOf("gone"), undefined);
  assert.deepEqual([...again.byId()], [[idA, [`shop:1@${idB}`, `shop:2@${idB}`]]]);
  for (const text of ["{", '{"shop:1":"no digest"}', "[]"]) {
    writeFileSync(path, text);
    assert.equal((await ForeignNames.open(path)).byId().size, 0, text);
  }
  const nowhere = await ForeignNames.open(join(folder, "no", "names.json"));
  nowhere.note("shop:1", idA);
  await nowhere.settled();
  assert.equal(nowhere.idOf("shop:1"), idA);
});
