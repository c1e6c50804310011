/** Sealing key: seals the keys of the state's secrets for the holders of a root key. */
import { rethrowInvariant } from "@gam/core";
import { derivedKey, seal, unseal } from "./seal.ts";

const keyBytes = 32;

/** Opens only with the same root key and for the same id. */
export function sealKey(rootPrivateKey: Uint8Array, id: string, key: Uint8Array): Uint8Array {
  return seal(openerOf(rootPrivateKey), key, purposeOf(id));
}

/** Returns: the key; undefined if it was sealed with another root key or for another id. */
export function openKey(
  rootPrivateKey: Uint8Array,
  id: string,
  sealed: Uint8Array,
): Uint8Array | undefined {
  try {
    const key = unseal(openerOf(rootPrivateKey), sealed, purposeOf(id));
    return key.length === keyBytes ? key : undefined;
  } catch (thrown) {
    rethrowInvariant(thrown);
    return undefined;
  }
}

function openerOf(rootPrivateKey: Uint8Array): Uint8Array {
  return derivedKey(rootPrivateKey, "gam sealing key 1");
}

function purposeOf(id: string): string {
  return `gam sealing key 1 ${id}`;
}
