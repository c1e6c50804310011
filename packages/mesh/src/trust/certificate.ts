/**
 * Certificate: a statement, signed by the root key, that a peer is a member, in which role and until when.
 *
 * Decides what makes a certificate valid. Does not decide whether its owner is still a member
 * (admission.ts asks the state), nor whether the peer at the other end is its owner (the Noise
 * handshake proves that).
 */
import { check, decode, encode, GamError, type NodeId, rootCertificateBody } from "@gam/core";
import { nodeIdOfKey } from "./identity.ts";
import { isSignature, publicKeyOfSeed, signBy } from "./signature.ts";

/** A manager may vote, lead and let others in. A worker never does. */
export type Role = "manager" | "worker";

export interface Certificate {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly role: Role;
  /**
   * The index of the log at which the role was looked up. A state beyond that index is newer than the certificate;
   * a state before it may be older than a promotion.
   */
  readonly asOf: number;
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly expiresMs: number;
  /** By the root key, over everything above. */
  readonly signature: Uint8Array;
}

type Claims = Omit<Certificate, "signature">;

const dayMs = 86_400_000;
const lifeMsUsual = 90 * dayMs;
/** Clocks of hosts differ; a member must not be refused because of that. */
const skewMs = dayMs;
const keyBytes = 32;

const certificateCheck = check.object({
  version: check.literal(2),
  clusterId: check.string(64),
  publicKey: check.bytes(keyBytes),
  role: check.literal("manager", "worker"),
  asOf: check.integer(0),
  notBeforeMs: check.integer(),
  expiresMs: check.integer(),
  signature: check.bytes(64),
});

/** Reads a certificate without checking its signature. Errors: BAD_FRAME when the bytes are not a certificate. */
export function readCertificate(bytes: Uint8Array): Certificate {
  const { version: _, ...rest } = certificateCheck(decode(bytes), "certificate");
  if (rest.publicKey.length !== keyBytes) {
    throw new GamError(
      "BAD_FRAME",
      `Cannot read certificate: key has ${rest.publicKey.length} bytes`,
    );
  }
  return { ...rest, nodeId: nodeIdOfKey(rest.publicKey) };
}

/** The bytes of a certificate; readCertificate() reads them. */
export function writeCertificate({ nodeId: _, ...rest }: Certificate): Uint8Array {
  return encode({ version: 2, ...rest });
}

/** The claims that a signer chooses. */
export interface Subject extends Pick<Certificate, "clusterId" | "publicKey" | "role" | "asOf"> {
  /** How long it is valid; 90 days if absent. */
  readonly lifeMs?: number;
}

/** Signs membership from `nowMs` on. */
export function issueCertificate(
  rootPrivateKey: Uint8Array,
  subject: Subject,
  nowMs: number,
): Certificate {
  const claims: Claims = {
    clusterId: subject.clusterId,
    nodeId: nodeIdOfKey(subject.publicKey),
    publicKey: subject.publicKey,
    role: subject.role,
    asOf: subject.asOf,
    notBeforeMs: nowMs,
    expiresMs: nowMs + (subject.lifeMs ?? lifeMsUsual),
  };
  return { ...claims, signature: signBy(rootPrivateKey, signed(claims)) };
}

/** Whether the holder of the root key has signed every claim in it. */
export function isSignedBy(rootPublicKey: Uint8Array, certificate: Certificate): boolean {
  return isSignature(rootPublicKey, signed(certificate), certificate.signature);
}

/** Signs, with the root key, that another key is to replace it. Shape: 64 bytes. */
export function signNextRoot(
  rootPrivateKey: Uint8Array,
  clusterId: string,
  nextPublicKey: Uint8Array,
): Uint8Array {
  return signBy(rootPrivateKey, nextRootClaim(clusterId, nextPublicKey));
}

/** Signs the root key's own X.509 certificate, which only clients read. Shape: 64 bytes. */
export function signRootCertificate(rootPrivateKey: Uint8Array): Uint8Array {
  return signBy(rootPrivateKey, rootCertificateBody(publicKeyOfSeed(rootPrivateKey)));
}

/** Whether the root key has signed that this key replaces it. */
export function isNextRoot(
  rootPublicKey: Uint8Array,
  clusterId: string,
  next: { readonly rootPublicKey: Uint8Array; readonly signature: Uint8Array },
): boolean {
  const claim = nextRootClaim(clusterId, next.rootPublicKey);
  return isSignature(rootPublicKey, claim, next.signature);
}

/** Units: milliseconds since 1970, by the clock of the peer that judges. */
export function isExpired(certificate: Certificate, nowMs: number): boolean {
  return nowMs > certificate.expiresMs || nowMs < certificate.notBeforeMs - skewMs;
}

/** Whether less than a third of its life is left, or it was made by a clock that was ahead. */
export function isDue({ notBeforeMs, expiresMs }: Certificate, nowMs: number): boolean {
  return expiresMs - nowMs < (expiresMs - notBeforeMs) / 3 || notBeforeMs - nowMs > skewMs;
}

function nextRootClaim(clusterId: string, nextPublicKey: Uint8Array): Uint8Array {
  return encode(["gam next root 1", clusterId, Buffer.from(nextPublicKey)]);
}

function signed(claims: Claims): Uint8Array {
  // A list, not a map: the order of what is signed must not depend on who built the object.
  return encode([
    "gam certificate 2",
    claims.clusterId,
    Buffer.from(claims.publicKey),
    claims.role,
    claims.asOf,
    claims.notBeforeMs,
    claims.expiresMs,
  ]);
}
