import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { keepPlace, keptPlace, removePlace } from "./place-file.ts";

const dir = mkdtempSync(join(tmpdir(), "gam-place-"));
after(() => rmSync(dir, { recursive: true }));

test("a place is written, read again and removed", async () => {
  assert.equal(await keptPlace(dir), undefined);
  for (const advertise of ["host1:7946", undefined]) {
    const place = { listen: { host: "0.0.0.0", port: 7946 }, advertise };
    await keepPlace(dir, place);
    assert.deepEqual(await keptPlace(dir), place);
  }
  await removePlace(dir);
  assert.equal(await keptPlace(dir), undefined);
});

for (const text of ["", "{", "null", "{}", '{"listen":{"host":"a","port":"7946"}}']) {
  test(`a place file with ${JSON.stringify(text)} is refused, with what to do`, async () => {
    writeFileSync(join(dir, "place.json"), text);
    await assert.rejects(keptPlace(dir), { code: "CORRUPT_FILE", message: /Remove it/ });
  });
}

test("a place that cannot be written is DISK_FAILED", async () => {
  const place = { listen: { host: "0.0.0.0", port: 7946 }, advertise: undefined };
  await assert.rejects(keepPlace(join(dir, "absent"), place), { code: "DISK_FAILED" });
});
