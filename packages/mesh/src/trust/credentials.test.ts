import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { HostCipher, isSealed, seal } from "@gam/files";
import { isDue, isExpired, isSignedBy, readCertificate, writeCertificate } from "./certificate.ts";
import {
  createCluster,
  hasCredentials,
  loadCredentials,
  makeNextRoot,
  removeCredentials,
  saveCredentials,
} from "./credentials.ts";
import { loadIdentity, makeIdentity } from "./identity.ts";

const dayMs = 86_400_000;
const cipher = new HostCipher(new Uint8Array(32).fill(1));
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "gam-mesh-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("an identity is made once, and only its owner may read it", async () => {
  const first = await loadIdentity(join(dir, "data"), cipher);
  const again = await loadIdentity(join(dir, "data"), cipher);
  assert.equal(again.nodeId, first.nodeId);
  assert.equal(again.peerId, first.peerId);
  assert.match(first.nodeId, /^[0-9a-z]{25}$/);
  const { mode } = await stat(join(dir, "data", "identity.json"));
  assert.equal(mode & 0o777, 0o600);
});

test("a broken identity is reported with its file, and never replaced", async () => {
  const path = join(dir, "identity.json");
  await writeFile(path, '{"version":1,"privateKey":"AAAA"}');
  await assert.rejects(loadIdentity(dir, cipher), {
    code: "CORRUPT_FILE",
    message: /identity\.json/,
  });
  assert.equal(await readFile(path, "utf8"), '{"version":1,"privateKey":"AAAA"}');
});

test("files of a newer gam are refused with advice, and not changed", async () => {
  await loadIdentity(dir, cipher);
  await saveCredentials(dir, createCluster(await makeIdentity(), 1_000_000), cipher);
  for (const [name, load] of [
    ["identity.json", loadIdentity],
    ["credentials.json", loadCredentials],
  ] as const) {
    const path = join(dir, name);
    const text = JSON.stringify({ version: 3, sealed: { other: "form" } });
    await writeFile(path, text);
    await assert.rejects(load(dir, cipher), {
      code: "NOT_SUPPORTED",
      message: new RegExp(`${name}": a newer gam has written it .*Start the newer version again`),
    });
    assert.equal(await readFile(path, "utf8"), text);
  }
});

test("credentials come back from disk as they were, encrypted", async () => {
  const credentials = createCluster(await makeIdentity(), 1_000_000);
  assert.equal(await hasCredentials(dir), false);
  assert.equal(await loadCredentials(dir, cipher), undefined);
  await saveCredentials(dir, credentials, cipher);
  assert.equal(await hasCredentials(dir), true);
  assert.deepEqual(await loadCredentials(dir, cipher), credentials);
  const path = join(dir, "credentials.json");
  assert.ok(isSealed(await readFile(path)));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const other = new HostCipher(new Uint8Array(32).fill(2));
  await assert.rejects(loadCredentials(dir, other), {
    code: "CORRUPT_FILE",
    message: /Cannot decrypt .*credentials\.json": .* Put back the "host\.key"/,
  });
  await removeCredentials(dir);
  assert.equal(await loadCredentials(dir, cipher), undefined);
});

test("files of an older release are read, and encrypted", async () => {
  const identity = await makeIdentity();
  const raw = Buffer.from(identity.privateKey.raw).toString("base64");
  await writeFile(join(dir, "identity.json"), JSON.stringify({ version: 1, privateKey: raw }));
  assert.equal((await loadIdentity(dir, cipher)).nodeId, identity.nodeId);
  assert.ok(isSealed(await readFile(join(dir, "identity.json"))));
  assert.equal((await loadIdentity(dir, cipher)).nodeId, identity.nodeId);

  const credentials = createCluster(identity, 1_000_000);
  const { clusterId, rootPublicKey, rootPrivateKey, certificate } = credentials;
  assert.ok(rootPrivateKey !== undefined);
  const sealKey = Buffer.alloc(32, 7);
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  await writeFile(join(dir, "seal.key"), sealKey);
  const content = {
    version: 1,
    clusterId,
    rootPublicKey: text(rootPublicKey),
    rootPrivateKeySealed: text(seal(sealKey, rootPrivateKey)),
    certificate: text(writeCertificate(certificate)),
  };
  await writeFile(join(dir, "credentials.json"), JSON.stringify(content));
  assert.deepEqual(await loadCredentials(dir, cipher), credentials);
  assert.ok(isSealed(await readFile(join(dir, "credentials.json"))));
  await assert.rejects(stat(join(dir, "seal.key")), { code: "ENOENT" });
  assert.deepEqual(await loadCredentials(dir, cipher), credentials);
});

test("the next root key comes back from disk too", async () => {
  const identity = await makeIdentity();
  const { rootPrivateKey, ...rest } = createCluster(identity, 1_000_000);
  assert.ok(rootPrivateKey !== undefined);
  const current = { ...rest, rootPrivateKey };
  const next = makeNextRoot(current, rootPrivateKey, identity, 2_000_000);
  await saveCredentials(dir, { ...current, next }, cipher);
  assert.deepEqual(await loadCredentials(dir, cipher), { ...current, next });
  const { rootPublicKey, signature } = next;
  const told = { rootPublicKey, signature };
  await saveCredentials(dir, { ...current, next: told }, cipher);
  assert.deepEqual(await loadCredentials(dir, cipher), { ...current, next: told });
});

test("a worker's credentials hold no root key", async () => {
  const { rootPrivateKey: _, ...rest } = createCluster(await makeIdentity(), 1_000_000);
  const credentials = { ...rest, rootPrivateKey: undefined };
  await saveCredentials(dir, credentials, cipher);
  assert.deepEqual(await loadCredentials(dir, cipher), credentials);
});

test("credentials with a certificate of another root key are refused", async () => {
  const own = createCluster(await makeIdentity(), 1_000_000);
  const other = createCluster(await makeIdentity(), 1_000_000);
  await saveCredentials(dir, { ...own, certificate: other.certificate }, cipher);
  await assert.rejects(loadCredentials(dir, cipher), {
    code: "CORRUPT_FILE",
    message: /not of this root/,
  });
});

test("a certificate is valid for 90 days, and each of its fields is signed", async () => {
  const nowMs = 1_000 * dayMs;
  const { certificate, rootPublicKey } = createCluster(await makeIdentity(), nowMs);
  assert.deepEqual(readCertificate(writeCertificate(certificate)).nodeId, certificate.nodeId);
  assert(isSignedBy(rootPublicKey, certificate));
  const { publicKey } = await makeIdentity();
  const changed = [
    { ...certificate, role: "worker" as const },
    { ...certificate, publicKey },
    { ...certificate, expiresMs: certificate.expiresMs + 1 },
    { ...certificate, notBeforeMs: 0 },
    { ...certificate, clusterId: "another" },
  ];
  for (const one of changed) assert(!isSignedBy(rootPublicKey, one));
  assert(!isSignedBy(new Uint8Array(5), certificate), "not a key");

  // A clock that is up to a day behind the signer's must not cause a refusal.
  const expired = [-2, -0.9, 0, 89, 91].map((days) => isExpired(certificate, nowMs + days * dayMs));
  assert.deepEqual(expired, [true, false, false, false, true]);
  const due = [0, 59, 61].map((days) => isDue(certificate, nowMs + days * dayMs));
  assert.deepEqual(due, [false, false, true]);
});
