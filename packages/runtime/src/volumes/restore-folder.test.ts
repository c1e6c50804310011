import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { RestoreFolder, restoresBeside } from "./restore-folder.ts";

const home = mkdtempSync(join(tmpdir(), "gam-restore-"));
after(() => rmSync(home, { recursive: true, force: true }));
let count = 0;

/** A volume with the text "old", and its restore r1 with the text "new", verified. */
async function restoring(): Promise<{ parent: string; folder: string; restore: RestoreFolder }> {
  count += 1;
  const parent = join(home, `volume${count}`);
  const folder = join(parent, "_data");
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  writeFileSync(join(folder, "file"), "old");
  const restore = new RestoreFolder(folder, "r1");
  await restore.begin();
  writeFileSync(join(restore.partial, "file"), "new");
  await restore.finish();
  return { parent, folder, restore };
}

const textIn = (folder: string): string => readFileSync(join(folder, "file"), "utf8");

test("new data replaces the old at once, and nothing is left", async () => {
  const { parent, folder, restore } = await restoring();
  assert.equal(textIn(folder), "old");
  await restore.swap();
  assert.equal(textIn(folder), "new");
  assert.equal(statSync(folder).mode & 0o777, 0o750);
  await restore.swap();
  assert.equal(textIn(folder), "new");
  assert.deepEqual(await restoresBeside(folder), ["r1"]);
  await restore.clean();
  assert.deepEqual(readdirSync(parent), ["_data"]);
  assert.deepEqual(await restoresBeside(folder), []);
});

test("killed between the two renames: swap goes on", async () => {
  const { parent, folder, restore } = await restoring();
  renameSync(folder, join(parent, "gam-restore-r1.old"));
  await restore.swap();
  assert.equal(textIn(folder), "new");
  assert.equal(textIn(join(parent, "gam-restore-r1.old")), "old");
});

test("killed before the data was whole: the old data stays, and another begin starts from nothing", async () => {
  const { folder, restore } = await restoring();
  const other = new RestoreFolder(folder, "r2");
  await other.begin();
  writeFileSync(join(other.partial, "half"), "ne");
  await assert.rejects(other.swap(), { code: "NOT_FOUND" });
  assert.equal(textIn(folder), "old");
  await other.begin();
  assert.deepEqual(readdirSync(other.partial), []);
  await restore.clean();
});

test("without its new data, a volume that was moved away gets its old one back", async () => {
  const { parent, folder, restore } = await restoring();
  renameSync(folder, join(parent, "gam-restore-r1.old"));
  rmSync(join(parent, "gam-restore-r1.whole"), { recursive: true });
  await assert.rejects(restore.swap(), { code: "NOT_FOUND" });
  assert.equal(textIn(folder), "old");
});

test("discarded before, while and after it is put in place: the volume has its old data or the new", async () => {
  const before = await restoring();
  await before.restore.discard();
  await assert.rejects(before.restore.swap(), { code: "NOT_FOUND" });
  assert.equal(textIn(before.folder), "old");
  assert.deepEqual(readdirSync(before.parent), ["_data"]);

  const between = await restoring();
  renameSync(between.folder, join(between.parent, "gam-restore-r1.old"));
  await between.restore.discard();
  await assert.rejects(between.restore.swap(), { code: "NOT_FOUND" });
  assert.equal(textIn(between.folder), "old");

  const behind = await restoring();
  await behind.restore.swap();
  await behind.restore.discard();
  assert.equal(textIn(behind.folder), "new");
  assert.equal(textIn(join(behind.parent, "gam-restore-r1.old")), "old");
});

test("files that appeared in between are not deleted", async () => {
  const { parent, folder, restore } = await restoring();
  renameSync(folder, join(parent, "gam-restore-r1.old"));
  mkdirSync(folder);
  writeFileSync(join(folder, "file"), "somebody's");
  await assert.rejects(restore.swap());
  assert.equal(textIn(folder), "somebody's");
  rmSync(join(folder, "file"));
  await restore.swap();
  assert.equal(textIn(folder), "new");
  assert.ok(existsSync(join(parent, "gam-restore-r1.old")));
});
