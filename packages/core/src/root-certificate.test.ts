import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { rootCertificateBody, rootCertificatePem } from "./root-certificate.ts";

function certificate(): { pem: string; publicKey: Uint8Array } {
  const pair = generateKeyPairSync("ed25519");
  const publicKey = pair.publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const signature = sign(null, rootCertificateBody(publicKey), pair.privateKey);
  return { pem: rootCertificatePem(publicKey, signature), publicKey };
}

test("a root certificate is valid X.509, signed by its own key", () => {
  for (let round = 0; round < 64; round += 1) {
    const { pem, publicKey } = certificate();
    const read = new X509Certificate(pem);
    assert.ok(read.verify(read.publicKey));
    assert.ok(read.checkIssued(read));
    assert.ok(read.ca);
    assert.equal(read.subject, "CN=gam");
    assert.equal(read.validTo, "Dec 31 23:59:59 9999 GMT");
    const der = read.publicKey.export({ type: "spki", format: "der" });
    assert.deepEqual(Buffer.from(der.subarray(-32)), Buffer.from(publicKey));
  }
});

test("openssl verifies a root certificate", (t) => {
  if (spawnSync("openssl", ["version"]).status !== 0) return t.skip("openssl is not installed");
  const { pem } = certificate();
  const shown = spawnSync("openssl", ["x509", "-noout", "-text"], { input: pem });
  assert.equal(shown.status, 0, String(shown.stderr));
  assert.match(String(shown.stdout), /CA:TRUE[\s\S]*X509v3 Subject Key Identifier/);
  assert.match(String(shown.stdout), /Certificate Sign, CRL Sign/);
});
