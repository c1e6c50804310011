/**
 * Unlock key: `SWMKEY-1-…`, the key that a locked manager needs after a restart, written as Swarm writes it.
 *
 * The state has it sealed for the holders of the root key, as it has the join tokens. So every running manager can
 * show it. It is not on the disk of a locked one.
 */
import { hkdfSync, randomBytes } from "node:crypto";
import { GamError, rethrowInvariant } from "@gam/core";
import { seal, unseal } from "./seal.ts";

const head = "SWMKEY-1-";
const keyBytes = 32;
/** 32 bytes in base64 without padding. */
const form = /^SWMKEY-1-([A-Za-z0-9+/]{43})$/;
const purpose = "gam unlock key 1";

/** Shape: 32 bytes, as all unlock keys here. */
export function makeUnlockKey(): Uint8Array {
  return Uint8Array.from(randomBytes(keyBytes));
}

export function formatUnlockKey(key: Uint8Array): string {
  return head + Buffer.from(key).toString("base64").replace(/=+$/, "");
}

/** Errors: BAD_REQUEST in Swarm's words. Never quotes the key. */
export function parseUnlockKey(text: string): Uint8Array {
  const found = form.exec(text.trim())?.[1];
  if (found === undefined) throw new GamError("BAD_REQUEST", "invalid encryption key string");
  return Uint8Array.from(Buffer.from(found, "base64"));
}

export function sealUnlockKey(rootPrivateKey: Uint8Array, key: Uint8Array): Uint8Array {
  return seal(sealKeyOf(rootPrivateKey), key, purpose);
}

/** Undefined if it was sealed with another root key. */
export function openUnlockKey(
  rootPrivateKey: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  try {
    const key = unseal(sealKeyOf(rootPrivateKey), sealed, purpose);
    return key.length === keyBytes ? key : undefined;
  } catch (thrown) {
    rethrowInvariant(thrown);
    return undefined; // Sealed with another key.
  }
}

function sealKeyOf(rootPrivateKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", rootPrivateKey, "", "gam unlock seal 1", keyBytes));
}
