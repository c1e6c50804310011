/**
 * Join tokens: what the state keeps of them, made and read with this manager's root keys.
 *
 * The state has the public half of a key pair, which verifies joiners, and the secret sealed under each root
 * key that counts. So every manager can show the tokens, and whoever has only the state or a worker's
 * disk cannot join.
 */
import { base64, fromBase64, GamError } from "@gam/core";
import {
  type Credentials,
  makeSecret,
  openSecret,
  type Role,
  sealSecret,
  tokenKeyOf,
} from "@gam/mesh";
import type { Cluster, JoinToken } from "@gam/state";

/**
 * A token with a new secret.
 *
 * Errors: NOT_SUPPORTED on a worker; IN_USE while the root key is replaced and the next one is not here yet.
 */
export function makeToken(role: Role, credentials: Credentials): JoinToken {
  const secret = makeSecret();
  const sealed = rootsOf(credentials).map(({ rootPublicKey, rootPrivateKey }) => {
    if (rootPrivateKey === undefined) {
      throw new GamError(
        "IN_USE",
        "Cannot make a token: the root key is being replaced, and this host has not got the new one yet; try again in a few seconds",
      );
    }
    return [base64(rootPublicKey), base64(sealSecret(rootPrivateKey, role, secret))];
  });
  return { PublicKey: base64(tokenKeyOf(secret)), Sealed: Object.fromEntries(sealed) };
}

/** Errors: as makeToken(). */
export function makeTokens(credentials: Credentials): Cluster["Tokens"] {
  return { Worker: makeToken("worker", credentials), Manager: makeToken("manager", credentials) };
}

/**
 * The secret of a token.
 *
 * Errors: NOT_SUPPORTED on a worker; REFUSED where no root key of this manager opens it.
 */
export function secretOf(role: Role, { Sealed }: JoinToken, credentials: Credentials): string {
  for (const { rootPublicKey, rootPrivateKey } of rootsOf(credentials)) {
    const text = Sealed[base64(rootPublicKey)];
    if (text === undefined || rootPrivateKey === undefined) continue;
    const secret = openSecret(rootPrivateKey, role, fromBase64(text));
    if (secret !== undefined) return secret;
  }
  throw new GamError(
    "REFUSED",
    `Cannot show the ${role} token: it was not sealed for this cluster's root key; "gam token --rotate" makes a new one`,
  );
}

function rootsOf(
  credentials: Credentials,
): readonly Pick<Credentials, "rootPublicKey" | "rootPrivateKey">[] {
  const { rootPublicKey, rootPrivateKey, next } = credentials;
  if (rootPrivateKey === undefined) {
    throw new GamError("NOT_SUPPORTED", "Cannot do that here: tokens are for managers only");
  }
  const current = { rootPublicKey, rootPrivateKey };
  if (next === undefined) return [current];
  return [current, { rootPublicKey: next.rootPublicKey, rootPrivateKey: next.rootPrivateKey }];
}
