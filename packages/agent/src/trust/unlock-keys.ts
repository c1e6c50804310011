/**
 * Unlock keys: makes, shows and seals the key that a locked manager needs after a restart.
 */
import { GamError } from "@gam/core";
import { type Credentials, makeUnlockKey, openUnlockKey, sealUnlockKey } from "@gam/mesh";
import type { SealedForRoots } from "@gam/state";
import { openedByRoots, sealedForRoots } from "./root-seals.ts";

/** Returns: a new key, sealed for the state. Errors: those of sealedForRoots(). */
export function newUnlockKey(credentials: Credentials): SealedForRoots {
  const key = makeUnlockKey();
  return sealedForRoots(credentials, (root) => sealUnlockKey(root, key));
}

/** Returns: the same key, sealed for all present root keys. Errors: those of sealedForRoots() and unlockKeyIn(). */
export function resealedUnlockKey(
  credentials: Credentials,
  sealed: SealedForRoots,
): SealedForRoots {
  const key = unlockKeyIn(credentials, sealed);
  if (key === undefined) {
    throw new GamError(
      "REFUSED",
      'Cannot open the unlock key: no root key of this host opens it. Run "docker swarm unlock-key --rotate" for a new one',
    );
  }
  return sealedForRoots(credentials, (root) => sealUnlockKey(root, key));
}

/** Returns: the key; undefined if no root key of this host opens it. Errors: NOT_SUPPORTED on a worker. */
export function unlockKeyIn(
  credentials: Credentials,
  sealed: SealedForRoots,
): Uint8Array | undefined {
  return openedByRoots(credentials, sealed, openUnlockKey);
}
