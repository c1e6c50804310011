/**
 * Token: `gam-1-FINGERPRINT-SECRET-ADDRESSES`, all that a host needs to join.
 *
 *   gam-1-0cfj…-3k9x…-10.0.0.1:7946,10.0.0.2:7946
 *
 * Decides how a token is written, and how a joiner proves its secret: the secret makes a key pair,
 * and the joiner signs the conversation. Members need only the public half, so the state does not reveal
 * how to join. By the fingerprint the joiner checks that it talks to the right cluster before it proves
 * anything. The state also has the secret itself, sealed so that only holders of the root key can read it.
 */
import { randomBytes } from "node:crypto";
import { base36, encode, GamError, type NodeId, rethrowInvariant } from "@gam/core";
import { formatAddress, parseAddress } from "./address.ts";
import type { Role } from "./certificate.ts";
import { derivedKey, seal, unseal } from "./seal.ts";
import { isSignature, publicKeyOfSeed, signBy } from "./signature.ts";

export interface Token {
  /** Of the cluster's root key; see fingerprintOf. */
  readonly fingerprint: string;
  readonly secret: string;
  /** `host:port` of some peers. May be empty: the joiner then has them from elsewhere. */
  readonly addresses: readonly string[];
}

const head = "gam-1-";
const part = /^[0-9a-z]{25}$/;
/** Three are enough to find a peer that is up; more make the token hard to copy. */
const addressesMax = 3;
const addressesReadMax = 32;
const lengthMax = 4096;
const isDamaged = 'a part of it is missing or changed. Copy the whole line that "gam token" shows';

/** 128 bits, 25 characters of base36. To rotate a token is to put a new one in the state. */
export function makeSecret(): string {
  return base36(randomBytes(32));
}

export function formatToken({ fingerprint, secret, addresses }: Token): string {
  const places = addresses.slice(0, addressesMax).join(",");
  return `${head}${fingerprint}-${secret}${places === "" ? "" : `-${places}`}`;
}

/** Errors: BAD_TOKEN, with what is wrong with it. Never quotes the secret. */
export function parseToken(text: string): Token {
  const wrong = (why: string): GamError =>
    new GamError("BAD_TOKEN", `Cannot read join token: ${why}`);
  // Terminals break long lines, and people copy the break.
  const whole = text.replace(/\s+/g, "");
  if (whole === "") throw wrong("it is empty");
  if (whole.length > lengthMax) throw wrong(`it has ${whole.length} characters`);
  if (whole.startsWith("SWMTKN-")) {
    throw wrong('it is a token of Docker Swarm; ask a peer of this cluster with "gam token"');
  }
  if (!whole.startsWith(head))
    throw wrong(`it does not start with "${head}". Copy the whole line that "gam token" shows`);
  const [fingerprint = "", secret = "", ...rest] = whole.slice(head.length).split("-");
  if (!part.test(fingerprint)) throw wrong(isDamaged);
  if (!part.test(secret)) throw wrong(isDamaged);
  const places = rest.join("-");
  const texts = places === "" ? [] : places.split(",");
  if (texts.length > addressesReadMax) throw wrong(`it names ${texts.length} addresses`);
  try {
    return { fingerprint, secret, addresses: texts.map((one) => formatAddress(parseAddress(one))) };
  } catch (thrown) {
    if (thrown instanceof GamError) throw wrong(`one of its addresses is bad: ${thrown.message}`);
    throw thrown;
  }
}

/** Everything that identifies one attempt to join. A proof for one attempt does not hold in another. */
export interface Transcript {
  readonly fingerprint: string;
  readonly joiner: NodeId;
  readonly responder: NodeId;
  readonly joinerNonce: Uint8Array;
  readonly responderNonce: Uint8Array;
}

export const nonceBytes = 32;

export function makeNonce(): Uint8Array {
  return randomBytes(nonceBytes);
}

/** The public half of the key pair that a secret makes. Shape: Ed25519, 32 bytes. */
export function tokenKeyOf(secret: string): Uint8Array {
  return publicKeyOfSeed(seedOf(secret));
}

/** The joiner's signature over the conversation. Shape: 64 bytes. */
export function proveSecret(secret: string, transcript: Transcript): Uint8Array {
  return signBy(seedOf(secret), claimOf(transcript));
}

/** Whether the proof was made with the secret of that key. */
export function isProved(tokenKey: Uint8Array, transcript: Transcript, proof: Uint8Array): boolean {
  return isSignature(tokenKey, claimOf(transcript), proof);
}

/** Seals the secret for the state. Opens only with the same root key and as a token of the same role. */
export function sealSecret(rootPrivateKey: Uint8Array, role: Role, secret: string): Uint8Array {
  return seal(sealKeyOf(rootPrivateKey), Buffer.from(secret), purposeOf(role));
}

/** Undefined if it was sealed with another root key, or is not a secret. */
export function openSecret(
  rootPrivateKey: Uint8Array,
  role: Role,
  sealed: Uint8Array,
): string | undefined {
  try {
    const plain = unseal(sealKeyOf(rootPrivateKey), sealed, purposeOf(role));
    const secret = Buffer.from(plain).toString();
    return part.test(secret) ? secret : undefined;
  } catch (thrown) {
    rethrowInvariant(thrown);
    return undefined; // Sealed with another key.
  }
}

function seedOf(secret: string): Uint8Array {
  return derivedKey(Buffer.from(secret), "gam token key 1");
}

function sealKeyOf(rootPrivateKey: Uint8Array): Uint8Array {
  return derivedKey(rootPrivateKey, "gam token seal 1");
}

function purposeOf(role: Role): string {
  return `gam ${role} token 1`;
}

function claimOf(transcript: Transcript): Uint8Array {
  // A list, not a map: the order of what is signed must not depend on who built the object.
  return encode([
    "gam join 2",
    transcript.fingerprint,
    transcript.joiner,
    transcript.responder,
    Buffer.from(transcript.joinerNonce),
    Buffer.from(transcript.responderNonce),
  ]);
}
