import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { moveFile, removeFile, replaceFile, reserveFile } from "./replace-file.ts";
import { FrailDisk, type FrailDiskOptions } from "./testing/frail-disk.ts";

const path = "/data/key.json";
const before = "what was there before";
const next = "what is to be there, and longer";

/** Starting points of a write: the file exists or not, with or without a draft of an earlier try. */
const beginnings: readonly Readonly<Record<string, string>>[] = [
  { [path]: before },
  { "/data/other": "x" },
  {
    [path]: before,
    [`${path}.tmp`]: "a draft that a crash left behind, longer than the new content",
  },
];

/** Returns: which promise the write breaks on that disk. */
async function broken(
  files: Readonly<Record<string, string>>,
  options: FrailDiskOptions,
): Promise<string[]> {
  const disk = new FrailDisk(files, options);
  const failure = await replaceFile(path, next, disk).catch((thrown: unknown) => thrown);
  const wrong: string[] = [];
  if (disk.openFiles !== 0) wrong.push("a file stays open");
  for (const found of disk.afterPowerLoss(path)) {
    if (found === next || (failure !== undefined && found === files[path])) continue;
    wrong.push(`after a power loss: ${found}`);
  }
  const read = disk.read(path);
  if (read !== next && (failure === undefined || read !== files[path])) wrong.push(`read: ${read}`);
  return wrong;
}

/** With a failure at each step, and with none. */
async function allBroken(options: FrailDiskOptions = {}): Promise<string[]> {
  const wrong: string[] = [];
  for (const files of beginnings) {
    const whole = new FrailDisk(files);
    await replaceFile(path, next, whole);
    assert.ok(whole.steps > 8, `${whole.steps} steps`);
    for (let failAt = 0; failAt <= whole.steps; failAt += 1) {
      wrong.push(...(await broken(files, { ...options, failAt })));
    }
  }
  return wrong;
}

test("replaceFile() leaves the old content or the new one, at whichever step it fails", async () => {
  assert.deepEqual(await allBroken(), []);
});

test("the test finds a file that is not synced, and a directory that is not", async () => {
  assert.notDeepEqual(await allBroken({ forgets: "files" }), []);
  assert.notDeepEqual(await allBroken({ forgets: "directories" }), []);
});

test("replaceFile() succeeds after a failure at any step", async () => {
  for (let failAt = 0; failAt < 12; failAt += 1) {
    const disk = new FrailDisk({ [path]: before }, { failAt });
    await assert.rejects(replaceFile(path, next, disk), { code: "EIO" });
    await replaceFile(path, next, disk);
    assert.deepEqual(disk.afterPowerLoss(path), new Set([next]));
  }
});

test("moveFile() ends durably, and leaves both files as they were when it fails", async () => {
  const [from, to] = ["/data/next", "/data/active"];
  for (let failAt = 0; failAt <= 4; failAt += 1) {
    const disk = new FrailDisk({ [from]: next, [to]: before }, { failAt });
    const failure = await moveFile(from, to, disk).catch((thrown: unknown) => thrown);
    const wanted = new Set(failure === undefined ? [next] : [before, next]);
    for (const found of disk.afterPowerLoss(to)) assert.ok(wanted.has(found ?? ""), `${found}`);
    assert.equal(disk.openFiles, 0);
  }
});

test("removeFile() ends durably, at whichever step it fails before", async () => {
  for (const files of beginnings.filter((one) => path in one)) {
    for (let failAt = 0; failAt < 5; failAt += 1) {
      const disk = new FrailDisk(files, { failAt });
      const failure = await removeFile(path, disk).catch((thrown: unknown) => thrown);
      const wanted = new Set(failure === undefined ? [undefined] : [before, undefined]);
      for (const found of disk.afterPowerLoss(path)) assert.ok(wanted.has(found), `${found}`);
      assert.equal(disk.openFiles, 0);
      await removeFile(path, disk);
      assert.deepEqual(disk.afterPowerLoss(path), new Set([undefined]));
      assert.deepEqual(disk.afterPowerLoss(`${path}.tmp`), new Set([undefined]));
    }
  }
});

const dir = mkdtempSync(join(tmpdir(), "gam-files-"));
after(() => rmSync(dir, { recursive: true }));

test("replaceFile() and reserveFile() work on a real disk, with mode 0600", async () => {
  const file = join(dir, "key");
  await reserveFile(file, 4096);
  const reserved = statSync(`${file}.tmp`);
  assert.equal(reserved.size, 4096);
  await replaceFile(file, next);
  const { ino, mode } = statSync(file);
  assert.equal(ino, reserved.ino, "the room that was taken is used");
  assert.equal(mode & 0o777, 0o600);
  assert.equal(readFileSync(file, "utf8"), next);
  writeFileSync(`${file}.tmp`, "left behind", { mode: 0o644 });
  await replaceFile(file, Uint8Array.of(1, 2));
  assert.deepEqual([...readFileSync(file)], [1, 2]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(dir), ["key"]);
  await removeFile(file);
  await removeFile(file);
  assert.deepEqual(readdirSync(dir), []);
});
