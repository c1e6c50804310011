/**
 * Root seals: secrets in the state that only holders of the root keys can open.
 *
 * While the root key is replaced, the unlock key is sealed under both keys: either half of the managers must be able
 * to open it. What a manager of former times must not read, though it knows the old root key, is sealed under the next
 * one alone: join tokens, and the key of all other secrets.
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
    if (rootPrivateKey === undefined) throw notHereYet("seal");
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

/**
 * Errors: IN_USE if only holders of the next root key can open the secret, and this host does not have that key yet.
 */
export function insistOnOwnRoots(credentials: Credentials, sealed: SealedForRoots): void {
  const coming = rootsOf(credentials).find(({ rootPublicKey, rootPrivateKey }) => {
    return rootPrivateKey === undefined && Object.hasOwn(sealed, base64(rootPublicKey));
  });
  if (coming !== undefined) throw notHereYet("open");
}

/** A root key with its private half. */
export interface Root {
  readonly rootPublicKey: Uint8Array;
  readonly rootPrivateKey: Uint8Array;
}

/**
 * Returns: the root key for what only managers of the time after a rotation may open.
 *
 * Errors: NOT_SUPPORTED on a worker; IN_USE while the root key is replaced and the next one is not here yet.
 */
export function newestRootOf(credentials: Credentials): Root {
  const { rootPublicKey, rootPrivateKey } = rootsOf(credentials).at(-1) ?? credentials;
  if (rootPrivateKey === undefined) throw notHereYet("seal");
  return { rootPublicKey, rootPrivateKey };
}

function notHereYet(verb: "open" | "seal"): GamError {
  return new GamError(
    "IN_USE",
    `Cannot ${verb} a secret: the root key is being replaced, and this host does not have the new one yet. Try again in a few seconds`,
  );
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
