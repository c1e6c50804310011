import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "@gam/core";
import fc from "fast-check";
import {
  formatToken,
  isProved,
  makeNonce,
  makeSecret,
  openSecret,
  parseToken,
  proveSecret,
  sealSecret,
  tokenKeyOf,
} from "./token.ts";

const fingerprint = "f".repeat(25);
const secret = "s".repeat(25);

test("a token survives writing, copying across lines, and reading", () => {
  const host = fc.oneof(fc.ipV4(), fc.constantFrom("::1", "fe80::1:2", "node-1.lan", "db"));
  const address = fc
    .tuple(host, fc.integer({ min: 1, max: 65535 }))
    .map(([name, port]) => `${name}:${port}`);
  fc.assert(
    fc.property(fc.array(address, { maxLength: 3 }), fc.nat(), (addresses, cut) => {
      const text = formatToken({ fingerprint, secret, addresses });
      assert.match(text, /^[a-z0-9.:,_-]+$/);
      const at = cut % text.length;
      const copied = `  ${text.slice(0, at)}\n  ${text.slice(at)} `;
      assert.deepEqual(parseToken(copied), { fingerprint, secret, addresses });
    }),
  );
});

const bad = [
  { text: "", want: /it is empty/ },
  { text: "SWMTKN-1-abc-def", want: /token of Docker Swarm/ },
  { text: `gam-2-${fingerprint}-${secret}`, want: /does not start with "gam-1-"/ },
  { text: `gam-1-short-${secret}`, want: /a part of it is missing/ },
  { text: `gam-1-${fingerprint}`, want: /a part of it is missing/ },
  { text: `gam-1-${fingerprint}-${secret.toUpperCase()}`, want: /a part of it is missing/ },
  { text: `gam-1-${fingerprint}-${secret}-10.0.0.1:70000`, want: /"70000" is no port/ },
  { text: `gam-1-${fingerprint}-${secret}-10.0.0.1:7946,`, want: /no host/ },
  { text: "x".repeat(5000), want: /5000 characters/ },
];
for (const { text, want } of bad) {
  test(`parseToken() refuses "${text.slice(0, 40)}" with ${want}`, () => {
    assert.throws(() => parseToken(text), { code: "BAD_TOKEN", message: want });
    // The secret must not end up in logs and bug reports.
    assert.throws(
      () => parseToken(text),
      ({ message }: Error) => !message.includes(secret),
    );
  });
}

test("a proof holds for its own transcript and secret, and for no other", () => {
  const transcript = {
    fingerprint,
    joiner: "a".repeat(25) as NodeId,
    responder: "b".repeat(25) as NodeId,
    joinerNonce: makeNonce(),
    responderNonce: makeNonce(),
  };
  const key = tokenKeyOf(secret);
  const proof = proveSecret(secret, transcript);
  assert(isProved(key, transcript, proof));
  assert(!isProved(tokenKeyOf(makeSecret()), transcript, proof));
  assert(!isProved(key, { ...transcript, joinerNonce: makeNonce() }, proof));
  assert(!isProved(key, { ...transcript, responderNonce: makeNonce() }, proof));
  assert(!isProved(key, { ...transcript, joiner: transcript.responder }, proof));
  assert(!isProved(key, { ...transcript, responder: transcript.joiner }, proof));
  assert(!isProved(key, { ...transcript, fingerprint: "0".repeat(25) }, proof));
  assert(!isProved(key, transcript, proof.subarray(1)));
  // The public key, which members have, is of no use for joining.
  assert(!isProved(key, transcript, proveSecret(Buffer.from(key).toString("base64"), transcript)));
});

test("a sealed secret opens with its own root key, as a token of its own role, and unchanged", () => {
  const [root, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const sealed = sealSecret(root, "manager", secret);
  assert.equal(openSecret(root, "manager", sealed), secret);
  assert.equal(openSecret(other, "manager", sealed), undefined);
  assert.equal(openSecret(root, "worker", sealed), undefined);
  assert.equal(openSecret(root, "manager", sealed.subarray(1)), undefined);
  assert.equal(openSecret(root, "manager", new Uint8Array()), undefined);
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Uint8Array.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.equal(openSecret(root, "manager", changed), undefined, `byte ${at}`);
  }
  assert(!Buffer.from(sealed).includes(secret));
});
