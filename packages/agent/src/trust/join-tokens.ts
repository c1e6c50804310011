/**
 * Join tokens: creates and reads the form in which the state keeps them, with this manager's root keys.
 *
 * The state has the public half of a key pair, which verifies joiners, and the secret sealed under each valid root
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
import { openedByRoots, sealedForRoots } from "./root-seals.ts";

/**
 * Returns: a token with a new secret.
 *
 * Errors: NOT_SUPPORTED on a worker; IN_USE while the root key is replaced and the next one is not here yet.
 */
export function makeToken(role: Role, credentials: Credentials): JoinToken {
  const secret = makeSecret();
  const Sealed = sealedForRoots(credentials, (root) => sealSecret(root, role, secret));
  return { PublicKey: base64(tokenKeyOf(secret)), Sealed };
}

/** Errors: those of makeToken(). */
export function makeTokens(credentials: Credentials): Cluster["Tokens"] {
  return { Worker: makeToken("worker", credentials), Manager: makeToken("manager", credentials) };
}

/**
 * Returns: the secret of a token.
 *
 * Errors: NOT_SUPPORTED on a worker; REFUSED if no root key of this manager opens it.
 */
export function secretOf(role: Role, { Sealed }: JoinToken, credentials: Credentials): string {
  const secret = openedByRoots(credentials, Sealed, (root, text) => openSecret(root, role, text));
  if (secret !== undefined) return secret;
  throw new GamError(
    "REFUSED",
    `Cannot show the ${role} token: no root key of this host opens it. Run "gam token --rotate" for new tokens`,
  );
}
