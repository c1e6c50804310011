import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { isDue, isExpired, isSignedBy, readCertificate, writeCertificate } from "./certificate.ts";
import {
  createCluster,
  loadCredentials,
  makeNextRoot,
  removeCredentials,
  saveCredentials,
} from "./credentials.ts";
import { loadIdentity, makeIdentity } from "./identity.ts";

const dayMs = 86_400_000;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "gam-mesh-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("an identity is made once, and only its owner may read it", async () => {
  const first = await loadIdentity(join(dir, "data"));
  const again = await loadIdentity(join(dir, "data"));
  assert.equal(again.nodeId, first.nodeId);
  assert.equal(again.peerId, first.peerId);
  assert.match(first.nodeId, /^[0-9a-z]{25}$/);
  const { mode } = await stat(join(dir, "data", "identity.json"));
  assert.equal(mode & 0o777, 0o600);
});

test("a broken identity is reported with its file, and never replaced", async () => {
  const path = join(dir, "identity.json");
  await writeFile(path, '{"version":1,"privateKey":"AAAA"}');
  await assert.rejects(loadIdentity(dir), { code: "CORRUPT_FILE", message: /identity\.json/ });
  assert.equal(await readFile(path, "utf8"), '{"version":1,"privateKey":"AAAA"}');
});

test("files of a newer gam are refused with advice, and not changed", async () => {
  await loadIdentity(dir);
  await saveCredentials(dir, createCluster(await makeIdentity(), 1_000_000));
  for (const [name, load] of [
    ["identity.json", loadIdentity],
    ["credentials.json", loadCredentials],
  ] as const) {
    const path = join(dir, name);
    const content = JSON.parse(await readFile(path, "utf8")) as object;
    const text = JSON.stringify({ ...content, version: 2, certificate: { other: "form" } });
    await writeFile(path, text);
    await assert.rejects(load(dir), {
      code: "NOT_SUPPORTED",
      message: new RegExp(`${name}": a newer gam has written it .*Start the newer version again`),
    });
    assert.equal(await readFile(path, "utf8"), text);
  }
});

test("credentials come back from disk as they were, with the root key sealed", async () => {
  const credentials = createCluster(await makeIdentity(), 1_000_000);
  assert.equal(await loadCredentials(dir), undefined);
  await saveCredentials(dir, credentials);
  assert.deepEqual(await loadCredentials(dir), credentials);
  const text = await readFile(join(dir, "credentials.json"), "utf8");
  assert(!text.includes(Buffer.from(credentials.rootPrivateKey ?? []).toString("base64")));
  for (const name of ["credentials.json", "seal.key"]) {
    assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600);
  }
  await removeCredentials(dir);
  assert.equal(await loadCredentials(dir), undefined);
});

test("the next root key comes back from disk too, sealed as well", async () => {
  const identity = await makeIdentity();
  const { rootPrivateKey, ...rest } = createCluster(identity, 1_000_000);
  assert.ok(rootPrivateKey !== undefined);
  const current = { ...rest, rootPrivateKey };
  const next = makeNextRoot(current, rootPrivateKey, identity, 2_000_000);
  await saveCredentials(dir, { ...current, next });
  assert.deepEqual(await loadCredentials(dir), { ...current, next });
  const text = await readFile(join(dir, "credentials.json"), "utf8");
  assert(!text.includes(Buffer.from(next.rootPrivateKey ?? []).toString("base64")));
  const { rootPublicKey, signature } = next;
  const told = { rootPublicKey, signature };
  await saveCredentials(dir, { ...current, next: told });
  assert.deepEqual(await loadCredentials(dir), { ...current, next: told });
});

test("a worker's credentials hold no root key", async () => {
  const { rootPrivateKey: _, ...rest } = createCluster(await makeIdentity(), 1_000_000);
  const credentials = { ...rest, rootPrivateKey: undefined };
  await saveCredentials(dir, credentials);
  assert.deepEqual(await loadCredentials(dir), credentials);
});

test("credentials that were tampered with are refused", async () => {
  const path = join(dir, "credentials.json");
  await saveCredentials(dir, createCluster(await makeIdentity(), 1_000_000));
  const other = createCluster(await makeIdentity(), 1_000_000);
  const file = JSON.parse(await readFile(path, "utf8"));
  const certificate = Buffer.from(writeCertificate(other.certificate)).toString("base64");
  await writeFile(path, JSON.stringify({ ...file, certificate }));
  await assert.rejects(loadCredentials(dir), { code: "CORRUPT_FILE", message: /not of this root/ });
  const sealed = Buffer.from(file.rootPrivateKeySealed, "base64");
  sealed[20] = (sealed[20] ?? 0) ^ 1;
  await writeFile(
    path,
    JSON.stringify({ ...file, rootPrivateKeySealed: sealed.toString("base64") }),
  );
  await assert.rejects(loadCredentials(dir), { code: "CORRUPT_FILE" });
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
