import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { HostCipher } from "@gam/files";
import { TunnelKeys } from "./tunnel-keys.ts";

const cipher = new HostCipher(new Uint8Array(32).fill(1));

function directoryFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "gam-keys-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** RFC 7748, section 6.1, in base64. */
const alice = {
  privateKey: "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=",
  publicKey: "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=",
};

test("tunnel keys: an existing key is used, and only its owner can read it", async (t) => {
  const directory = directoryFor(t);
  const made = await TunnelKeys.open(directory, cipher);
  assert.equal(statSync(join(directory, "wireguard.key")).mode & 0o777, 0o600);
  assert.equal((await TunnelKeys.open(directory, cipher)).publicKey, made.publicKey);
  writeFileSync(join(directory, "wireguard.key"), alice.privateKey);
  const keys = await TunnelKeys.open(directory, cipher);
  assert.deepEqual([keys.privateKey, keys.publicKey], [alice.privateKey, alice.publicKey]);
  // That file was plain. It is encrypted since it was read.
  assert.ok(!readFileSync(join(directory, "wireguard.key"), "utf8").includes(alice.privateKey));
  assert.equal((await TunnelKeys.open(directory, cipher)).privateKey, alice.privateKey);
});

test("tunnel keys: two new keys agree on a secret", async (t) => {
  const pairs = [
    await TunnelKeys.open(directoryFor(t), cipher),
    await TunnelKeys.open(directoryFor(t), cipher),
  ];
  const head = Buffer.from("302e020100300506032b656e04220420", "hex");
  const publicHead = Buffer.from("302a300506032b656e032100", "hex");
  const secrets = pairs.map(({ privateKey }, index) => {
    const other = pairs[1 - index]?.publicKey ?? "";
    return diffieHellman({
      privateKey: createPrivateKey({
        key: Buffer.concat([head, Buffer.from(privateKey, "base64")]),
        format: "der",
        type: "pkcs8",
      }),
      publicKey: createPublicKey({
        key: Buffer.concat([publicHead, Buffer.from(other, "base64")]),
        format: "der",
        type: "spki",
      }),
    }).toString("hex");
  });
  assert.equal(secrets[0], secrets[1]);
});

test("tunnel keys: a new key is reported at once, used once the state shows it, and survives a restart", async (t) => {
  const directory = directoryFor(t);
  const keys = await TunnelKeys.open(directory, cipher);
  const { publicKey: first, privateKey } = keys;
  const second = await keys.rotate();
  assert.notEqual(second, first);
  assert.equal(await keys.rotate(), second);
  assert.deepEqual([keys.publicKey, keys.privateKey], [second, privateKey]);
  await keys.shown(first);
  assert.equal(keys.privateKey, privateKey);
  const again = await TunnelKeys.open(directory, cipher);
  assert.ok(again.isNext(second));
  await again.shown(second);
  assert.notEqual(again.privateKey, privateKey);
  const written = await again.withPrivateKeyFile(async (path) => readFileSync(path, "utf8"));
  assert.equal(written.trim(), again.privateKey);
  assert.equal((await TunnelKeys.open(directory, cipher)).publicKey, second);
});

test("tunnel keys: a file without a key is an error", async (t) => {
  const directory = directoryFor(t);
  writeFileSync(join(directory, "wireguard.key"), "rubbish");
  await assert.rejects(TunnelKeys.open(directory, cipher), { code: "CORRUPT_FILE" });
});

test("tunnel keys: a key is rotated after a week, and the next key after its own week", async (t) => {
  const directory = directoryFor(t);
  const keys = await TunnelKeys.open(directory, cipher);
  const first = keys.publicKey;
  const dayMs = 24 * 3600 * 1000;
  const nowMs = Date.now();
  await keys.rotateWhenDue(nowMs + 6 * dayMs);
  assert.equal(keys.publicKey, first);
  await keys.rotateWhenDue(nowMs + 8 * dayMs + 60_000);
  const second = keys.publicKey;
  assert.notEqual(second, first);
  await keys.shown(second);
  utimesSync(join(directory, "wireguard.key"), nowMs / 1000, nowMs / 1000);
  await keys.rotateWhenDue(nowMs + 6 * dayMs);
  assert.equal(keys.publicKey, second);
});
