/**
 * Join tokens: creates and reads the form in which the state keeps them, with this manager's root keys.
 *
 * The state has the public half of a key pair, which verifies joiners, and the secret sealed under the newest root
 * key. So every manager can show the tokens, but the state or a worker's disk alone is not enough to join.
 */
import { base64, GamError } from "@gam/core";
import {
  type Credentials,
  makeSecret,
  openSecret,
  type Role,
  sealSecret,
  tokenKeyOf,
} from "@gam/mesh";
import type { Cluster, JoinToken } from "@gam/state";
import { insistOnOwnRoots, newestRootOf, openedByRoots } from "./root-seals.ts";

/** Returns: a token with a new secret, sealed under the newest root key. Errors: as newestRootOf(). */
export function makeToken(role: Role, credentials: Credentials): JoinToken {
  const secret = makeSecret();
  const { rootPublicKey, rootPrivateKey } = newestRootOf(credentials);
  const sealed = base64(sealSecret(rootPrivateKey, role, secret));
  return { PublicKey: base64(tokenKeyOf(secret)), Sealed: { [base64(rootPublicKey)]: sealed } };
}

/** Errors: those of makeToken(). */
export function makeTokens(credentials: Credentials): Cluster["Tokens"] {
  return { Worker: makeToken("worker", credentials), Manager: makeToken("manager", credentials) };
}

/**
 * Returns: the secret of a token.
 *
 * Errors: NOT_SUPPORTED on a worker; IN_USE while only holders of the next root key can open it, and that is not here
 *         yet; REFUSED if no root key of this manager opens it.
 */
export function secretOf(role: Role, { Sealed }: JoinToken, credentials: Credentials): string {
  const secret = openedByRoots(credentials, Sealed, (root, text) => openSecret(root, role, text));
  if (secret !== undefined) return secret;
  insistOnOwnRoots(credentials, Sealed);
  throw new GamError(
    "REFUSED",
    `Cannot show the ${role} token: no root key of this host opens it. Run "gam token --rotate" for new tokens`,
  );
}
