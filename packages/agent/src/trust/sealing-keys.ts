/**
 * Sealing keys: creates and opens the keys that seal what only managers may read.
 *
 * The state has each key sealed under root keys. A rotation of the root key adds a key that only holders of the next
 * root key can open: a manager of former times, which knows the old root key and still gets the log as a worker,
 * cannot open what is sealed from then on.
 */
import { randomBytes } from "node:crypto";
import { base64, GamError } from "@gam/core";
import { type Credentials, openKey, sealKey } from "@gam/mesh";
import { keysInUse, type SealingKey, type View } from "@gam/state";
import { insistOnOwnRoots, openedByRoots, type Root } from "./root-seals.ts";

const keyBytes = 32;

/** Returns: a new key that holders of this root key can open. */
export function makeSealingKey(id: string, root: Root): SealingKey {
  return { ID: id, Sealed: sealedUnder(root, id, Uint8Array.from(randomBytes(keyBytes))) };
}

/**
 * Returns: the keys for the time from when `next` is to replace the root key: those with which something is sealed,
 *          and a new one, with that id.
 *
 * Errors: as openSealingKey(), for a key that must stay.
 */
export function keysForNextRoot(
  view: View,
  {
    id,
    credentials,
    next,
  }: { readonly id: string; readonly credentials: Credentials; readonly next: Root },
): readonly SealingKey[] {
  const used = keysInUse(view);
  const kept = (view.cluster?.SealingKeys ?? [])
    .filter(({ ID }) => used.has(ID))
    .map((key): SealingKey => {
      const root = base64(credentials.rootPublicKey);
      const known = key.Sealed[root];
      const added = sealedUnder(next, key.ID, openUsedKey(view, key, credentials));
      return { ID: key.ID, Sealed: { ...(known !== undefined && { [root]: known }), ...added } };
    });
  return [...kept, makeSealingKey(id, next)];
}

/**
 * Returns: the 32 bytes of a key.
 *
 * Errors: NOT_SUPPORTED on a worker; IN_USE if only holders of the next root key can open it, and it is not here yet;
 *         REFUSED if no root key of this manager opens it.
 */
export function openSealingKey(key: SealingKey, credentials: Credentials): Uint8Array {
  const opened = openedByRoots(credentials, key.Sealed, (root, text) =>
    openKey(root, key.ID, text),
  );
  if (opened !== undefined) return opened;
  insistOnOwnRoots(credentials, key.Sealed);
  throw new GamError(
    "REFUSED",
    "Cannot open or seal secrets: no root key of this host opens the key. Run the command on another manager",
  );
}

/** As openSealingKey(). Says what to remove if the hosts that have its root key are gone for good. */
function openUsedKey(view: View, key: SealingKey, credentials: Credentials): Uint8Array {
  try {
    return openSealingKey(key, credentials);
  } catch (thrown) {
    if (!(thrown instanceof GamError) || thrown.code !== "IN_USE") throw thrown;
    const what = sealedWith(view, key.ID).join(", ");
    throw new GamError(
      "IN_USE",
      `Cannot replace the root key: it is already being replaced, and this host does not have the new one yet, which ${what} needs. Try again in a few seconds. If no host that has it will come back, remove ${what}`,
    );
  }
}

/** Returns: the names of what is sealed with that key, for people. */
function sealedWith(view: View, key: string): readonly string[] {
  const secrets = view
    .secrets()
    .filter(({ Gam }) => Gam.contents.some((content) => content.key === key))
    .map(({ Spec }) => `secret "${Spec.Name}"`);
  const services = view
    .services()
    .filter(({ Gam }) => Gam.registryAuth?.key === key || Gam.registryAuthPrevious?.key === key)
    .map(({ Spec }) => `service "${Spec.Name}"`);
  return [...secrets, ...services];
}

function sealedUnder(root: Root, id: string, key: Uint8Array): SealingKey["Sealed"] {
  return { [base64(root.rootPublicKey)]: base64(sealKey(root.rootPrivateKey, id, key)) };
}
