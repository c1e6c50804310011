import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { HostLook } from "./host-facts.ts";

test("HostLook says what this host has, without an engine and without an address", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "gam-facts-"));
  t.after(() => rmSync(dataDir, { recursive: true }));
  const look = new HostLook();
  const places = { version: "1.2.3", dataDir, engine: join(dataDir, "none.sock"), address: "" };
  const facts = await look.facts(places);
  assert.deepEqual([facts.hostname, facts.version, facts.line], [hostname(), "1.2.3", "unknown"]);
  assert.equal(facts.engine.state, "stopped");
  const [disk, ...more] = facts.disks;
  assert.deepEqual([disk?.path, disk?.failure, more.length], [dataDir, "", 0]);
  assert.ok((disk?.totalBytes ?? 0) >= (disk?.freeBytes ?? 0) && (disk?.freeBytes ?? 0) > 0);
  const { availableBytes, totalBytes } = facts.memory;
  assert.ok(availableBytes > 0 && availableBytes <= totalBytes);
  assert.deepEqual(readdirSync(dataDir), []);
});

test("HostLook says why nothing can be written", async () => {
  const dataDir = join(tmpdir(), "gam-facts-absent");
  const facts = await new HostLook().facts({
    ...{ version: "", dataDir, engine: join(dataDir, "none.sock"), address: "127.0.0.1" },
  });
  assert.deepEqual(facts.disks, [
    {
      path: dataDir,
      failure: `${dataDir}/doctor.tmp: there is no such file`,
      ...{ freeBytes: 0, totalBytes: 0 },
    },
  ]);
  assert.equal(facts.line, "unknown");
});
