/**
 * Root seals: secrets that the state keeps for the holders of the root keys, and for nobody else.
 *
 * While the root key is replaced a secret is sealed under both keys: either half of the managers must be able to
 * open it.
 */
import { base64, fromBase64, GamError } from "@gam/core";
import type { Credentials } from "@gam/mesh";
import type { SealedForRoots } from "@gam/state";

/**
 * Returns: the secret as `seal` seals it with each valid root private key.
 *
 * Errors: NOT_SUPPORTED on a worker; IN_USE while the root key is replaced and the next one is not here yet.
 */
export function sealedForRoots(
  credentials: Credentials,
  seal: (rootPrivateKey: Uint8Array) => Uint8Array,
): SealedForRoots {
  const sealed = rootsOf(credentials).map(({ rootPublicKey, rootPrivateKey }) => {
    if (rootPrivateKey === undefined) {
      throw new GamError(
        "IN_USE",
        "Cannot seal a secret: the root key is being replaced, and this host does not have the new one yet. Try again in a few seconds",
      );
    }
    return [base64(rootPublicKey), base64(seal(rootPrivateKey))];
  });
  return Object.fromEntries(sealed);
}

/**
 * Returns: what `open` makes of the secret with the first root private key that opens it; undefined if none does.
 *
 * Errors: NOT_SUPPORTED on a worker.
 */
export function openedByRoots<Secret>(
  credentials: Credentials,
  sealed: SealedForRoots,
  open: (rootPrivateKey: Uint8Array, sealed: Uint8Array) => Secret | undefined,
): Secret | undefined {
  for (const { rootPublicKey, rootPrivateKey } of rootsOf(credentials)) {
    const text = sealed[base64(rootPublicKey)];
    if (text === undefined || rootPrivateKey === undefined) continue;
    const secret = open(rootPrivateKey, fromBase64(text));
    if (secret !== undefined) return secret;
  }
  return undefined;
}

function rootsOf(
  credentials: Credentials,
): readonly Pick<Credentials, "rootPublicKey" | "rootPrivateKey">[] {
  const { rootPublicKey, rootPrivateKey, next } = credentials;
  if (rootPrivateKey === undefined) {
    throw new GamError(
      "NOT_SUPPORTED",
      "Cannot use the cluster's secrets: this host is a worker. Run the command on a manager",
    );
  }
  const current = { rootPublicKey, rootPrivateKey };
  if (next === undefined) return [current];
  return [current, { rootPublicKey: next.rootPublicKey, rootPrivateKey: next.rootPrivateKey }];
}
