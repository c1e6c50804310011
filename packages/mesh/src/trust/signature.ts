/** Signature: Ed25519 over bytes, with keys as their bare 32 bytes. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { ed25519Der, rethrowInvariant } from "@gam/core";

const keyBytes = 32;
/** An Ed25519 private key in the wrapping that OpenSSL reads, up to its 32 bytes. Source: RFC 8410, section 10. */
const privateKeyHead = Buffer.from("302e020100300506032b657004220420", "hex");

/** Shape: `seed` is 32 bytes, the private key; the result is 32 bytes, the public one. */
export function publicKeyOfSeed(seed: Uint8Array): Uint8Array {
  const der = createPublicKey(privateKeyObject(seed)).export({ format: "der", type: "spki" });
  return Uint8Array.from(der.subarray(-keyBytes));
}

/** Shape: 64 bytes. */
export function signBy(seed: Uint8Array, claim: Uint8Array): Uint8Array {
  return Uint8Array.from(sign(null, claim, privateKeyObject(seed)));
}

/** Whether the holder of that key has signed the claim. */
export function isSignature(
  publicKey: Uint8Array,
  claim: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return verify(null, claim, publicKeyObject(publicKey), signature);
  } catch (thrown) {
    rethrowInvariant(thrown);
    return false; // A key or signature that OpenSSL cannot even read.
  }
}

function publicKeyObject(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: ed25519Der(raw), format: "der", type: "spki" });
}

function privateKeyObject(seed: Uint8Array): KeyObject {
  const key = Buffer.concat([privateKeyHead, seed]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}
