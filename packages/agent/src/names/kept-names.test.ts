import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, stat, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { NetworkId } from "@gam/core";
import { testId } from "@gam/core/testing";
import type { DnsPlan } from "@gam/network";
import { log } from "../testing/running-agent.ts";
import { KeptNames } from "./kept-names.ts";

const memory = "/dev/shm";
const skip = existsSync(memory) ? false : `there is no ${memory}`;
const front = testId<NetworkId>("front");

function planWith(web: readonly string[]): DnsPlan {
  const zone = {
    ...{ network: front, name: "front", internal: false },
    ...{ gateway: "10.0.1.2", subnet: "10.0.1.0/24" },
    names: new Map([["web", web]]),
    reverse: new Map(web.map((address) => [address, "web.1"])),
  };
  return {
    zones: [zone],
    clients: new Map([["10.0.1.5", [front]]]),
    confined: new Set(["10.0.1.6"]),
    upstreams: new Map([["10.0.1.5", ["192.0.2.1"]]]),
  };
}

async function folderIn(t: TestContext, parent: string): Promise<string> {
  const folder = await mkdtemp(join(parent, "gam-names-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test("the last plan is kept for the next start, readable by its owner only", {
  skip,
}, async (t) => {
  const folder = await folderIn(t, memory);
  const at = { socket: join(folder, "gam.sock") };
  const names = new KeptNames(at, log);
  for (let last = 1; last <= 20; last += 1) names.keep(planWith([`10.0.1.${last}`]));
  await names.settled();
  assert.deepEqual(await new KeptNames(at, log).read(), planWith(["10.0.1.20"]));
  assert.equal((await stat(join(folder, "gam-names.json"))).mode & 0o777, 0o600);
  names.keep(planWith([]));
  await names.forget();
  assert.deepEqual(await readdir(folder), []);
  assert.equal(await new KeptNames(at, log).read(), undefined);
});

test("nothing is written to a disk", async (t) => {
  const folder = await folderIn(t, tmpdir());
  const onDisk = !(await isInMemory(folder));
  const names = new KeptNames({ socket: join(folder, "gam.sock") }, log);
  names.keep(planWith(["10.0.1.9"]));
  await names.settled();
  assert.deepEqual(await readdir(folder), onDisk ? [] : ["gam-names.json"]);
});

test("a file that is not gam's is not used", { skip }, async (t) => {
  const folder = await folderIn(t, memory);
  const names = new KeptNames({ socket: join(folder, "gam.sock") }, log);
  for (const content of ["", "{}", '{"version":2}', '{"version":1,"zones":[{}]}']) {
    await writeFile(join(folder, "gam-names.json"), content);
    assert.equal(await names.read(), undefined, content);
  }
});

async function isInMemory(folder: string): Promise<boolean> {
  return (await statfs(folder)).type === 0x01021994;
}
