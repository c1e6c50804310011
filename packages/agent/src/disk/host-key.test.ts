import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { inspect } from "node:util";
import { GamError } from "@gam/core";
import { loadIdentity, makeUnlockKey } from "@gam/mesh";
import { HostKey } from "./host-key.ts";

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "gam-key-"));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

/** Whether both keys open what the other one sealed. */
function isSame(a: HostKey, b: HostKey): boolean {
  const sealed = a.cipher.of("x").seal(Buffer.from("text"));
  try {
    return Buffer.from(b.cipher.of("x").open(sealed)).toString() === "text";
  } catch {
    return false;
  }
}

test("a host key is made once, and only its owner may read it", async (t) => {
  const dir = await folder(t);
  const made = await HostKey.open(dir);
  assert.equal((await stat(join(dir, "host.key"))).mode & 0o777, 0o600);
  assert.ok(isSame(made, await HostKey.open(dir)));
  await made.renew();
  assert.ok(isSame(made, await HostKey.open(dir)));
});

test("a sealed host key opens with the newest unlock key only, and stays the same key", async (t) => {
  const dir = await folder(t);
  const key = await HostKey.open(dir);
  const [first, second] = [makeUnlockKey(), makeUnlockKey()];
  await key.sealWith(first);
  const locked = await HostKey.open(dir);
  assert.ok(locked.isLocked);
  assert.ok(!locked.unlock(second));
  assert.ok(locked.isLocked);
  assert.ok(locked.unlock(first));
  assert.ok(isSame(key, locked));
  locked.lockAgain();
  assert.ok(locked.isLocked);
  assert.ok(locked.unlock(first));

  const before = await readFile(join(dir, "host.key"), "utf8");
  await locked.sealWith(first);
  assert.equal(await readFile(join(dir, "host.key"), "utf8"), before, "nothing to write");
  await locked.sealWith(second);
  const again = await HostKey.open(dir);
  assert.ok(!again.unlock(first));
  assert.ok(again.unlock(second));
  assert.ok(isSame(key, again));

  await again.sealWith(undefined);
  const open = await HostKey.open(dir);
  assert.ok(!open.isLocked);
  assert.ok(isSame(key, open));
});

test("no plain key is in a sealed file", async (t) => {
  const dir = await folder(t);
  const key = await HostKey.open(dir);
  const plain = JSON.parse(await readFile(join(dir, "host.key"), "utf8")).key as string;
  await key.sealWith(makeUnlockKey());
  const sealed = await readFile(join(dir, "host.key"), "utf8");
  assert.ok(!sealed.includes(plain));
  assert.ok(!sealed.includes(Buffer.from(plain, "base64").toString("hex")));
});

test("the error about a damaged host key quotes nothing of it", async (t) => {
  const dir = await folder(t);
  await HostKey.open(dir);
  const path = join(dir, "host.key");
  const whole = await readFile(path, "utf8");
  const key: string = JSON.parse(whole).key;
  const cases = [
    whole.replace(key, key + key),
    whole.replace(`"${key}"`, key),
    whole.replace(`"${key}"`, `["${key}"]`),
    whole.replace('"key"', '"key'),
    whole.slice(0, -5),
    `${key}${whole}`,
  ];
  for (const broken of cases) {
    await writeFile(path, broken);
    const thrown = await HostKey.open(dir).catch((error: unknown) => error);
    assert.ok(thrown instanceof GamError, broken);
    assert.equal(thrown.code, "CORRUPT_FILE");
    const said = inspect(thrown);
    const parts = Array.from({ length: key.length - 4 }, (_, at) => key.slice(at, at + 5));
    const quoted = parts.filter((part) => said.includes(part));
    assert.deepEqual(quoted, [], said);
  }
});

test("a host key that cannot be written is DISK_FAILED", async (t) => {
  const dir = await folder(t);
  await assert.rejects(HostKey.open(join(dir, "absent")), {
    code: "DISK_FAILED",
    message: /^Cannot write to ".*absent": /,
  });
  const lost = join(dir, "lost");
  await mkdir(lost);
  const key = await HostKey.open(lost);
  await rm(lost, { recursive: true });
  await assert.rejects(key.sealWith(makeUnlockKey()), { code: "DISK_FAILED" });
  await assert.rejects(key.renew(), { code: "DISK_FAILED" });
});

test("a sealed host key that was cut off is damaged, not sealed with another unlock key", async (t) => {
  const dir = await folder(t);
  const key = await HostKey.open(dir);
  await key.sealWith(makeUnlockKey());
  const path = join(dir, "host.key");
  const { locked } = JSON.parse(await readFile(path, "utf8"));
  for (const broken of ["", locked.slice(0, 40), locked + locked]) {
    await writeFile(path, JSON.stringify({ version: 1, locked: broken }));
    await assert.rejects(HostKey.open(dir), { code: "CORRUPT_FILE" }, broken);
  }
});

test("a host key that is missing or unreadable beside encrypted files is an error, and nothing is written", async (t) => {
  const dir = await folder(t);
  const key = await HostKey.open(dir);
  await loadIdentity(dir, key.cipher);
  const path = join(dir, "host.key");
  const identity = await readFile(join(dir, "identity.json"));
  const refused = {
    code: "CORRUPT_FILE",
    message: /host\.key".*Nothing was changed.*gam join TOKEN/,
  };
  for (const broken of ["", "{}", '{"version":1,"key":"AAAA"}', "rubbish"]) {
    await writeFile(path, broken);
    await assert.rejects(HostKey.open(dir), refused);
    assert.equal(await readFile(path, "utf8"), broken);
  }
  await writeFile(path, '{"version":2}');
  await assert.rejects(HostKey.open(dir), { code: "NOT_SUPPORTED" });
  await rm(path);
  await assert.rejects(HostKey.open(dir), refused);
  await assert.rejects(stat(path), { code: "ENOENT" });
  assert.deepEqual(await readFile(join(dir, "identity.json")), identity);
});
