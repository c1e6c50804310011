/**
 * Credentials: what makes a peer a member of one cluster, and how that is stored on disk.
 *
 * The file is encrypted with the key of the host. Older releases wrote it plain, with the root private key sealed by
 * a key in a file beside it: such a file is read and encrypted. Only managers have the root private key.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  base36,
  base64,
  check,
  fromBase64,
  GamError,
  messageOf,
  rethrowInvariant,
} from "@gam/core";
import {
  type HostCipher,
  readIfThere,
  readSealed,
  removeFile,
  replaceSealed,
  reserveFile,
} from "@gam/files";
import {
  type Certificate,
  isSignedBy,
  issueCertificate,
  readCertificate,
  signNextRoot,
  writeCertificate,
} from "./certificate.ts";
import { insistOnVersion } from "./file-version.ts";
import type { Identity } from "./identity.ts";
import { unseal } from "./seal.ts";
import { publicKeyOfSeed } from "./signature.ts";

export interface Credentials {
  readonly clusterId: string;
  /** Ed25519, 32 bytes. */
  readonly rootPublicKey: Uint8Array;
  /** Managers only: the 32 bytes that sign certificates. */
  readonly rootPrivateKey: Uint8Array | undefined;
  readonly certificate: Certificate;
  /** While the root key is being replaced: the next one. */
  readonly next?: NextRootCredentials;
}

export interface NextRootCredentials {
  /** Ed25519, 32 bytes. */
  readonly rootPublicKey: Uint8Array;
  /** By the root key before it: a peer that trusts that one may trust this one. */
  readonly signature: Uint8Array;
  /** Managers only, once they have received it. */
  readonly rootPrivateKey?: Uint8Array;
  /** Signed by this key. Absent until this peer has received it. */
  readonly certificate?: Certificate;
}

const fileName = "credentials.json";
/** With the key by which older releases sealed root private keys. */
const sealName = "seal.key";
const purpose = "credentials";
/** Two certificates of at most 4 KiB each are most of it. */
const credentialsBytesMax = 24 * 1024;
const keyBytes = 32;

const fileVersion = 1;
const key = check.optional(check.string(256));
const fileCheck = check.object({
  version: check.literal(fileVersion),
  clusterId: check.string(64),
  rootPublicKey: check.string(64),
  rootPrivateKey: key,
  rootPrivateKeySealed: key,
  certificate: check.string(4096),
  next: check.optional(
    check.object({
      rootPublicKey: check.string(64),
      signature: check.string(128),
      rootPrivateKey: key,
      rootPrivateKeySealed: key,
      certificate: check.optional(check.string(4096)),
    }),
  ),
});

/** The cluster's name in a join token: 25 characters of base36. */
export function fingerprintOf(rootPublicKey: Uint8Array): string {
  return base36(createHash("sha256").update("gam root 1").update(rootPublicKey).digest());
}

/** A new cluster with this peer as its first manager. */
export function createCluster(identity: Identity, nowMs: number): Credentials {
  const rootPrivateKey = Uint8Array.from(randomBytes(keyBytes));
  const clusterId = base36(randomBytes(keyBytes));
  return {
    clusterId,
    rootPublicKey: publicKeyOfSeed(rootPrivateKey),
    rootPrivateKey,
    certificate: issueCertificate(
      rootPrivateKey,
      { clusterId, publicKey: identity.publicKey, role: "manager", asOf: 0 },
      nowMs,
    ),
  };
}

/** A new key that is to replace the root key, with the credentials of the peer that makes it. */
export function makeNextRoot(
  { clusterId, certificate }: Credentials,
  rootPrivateKey: Uint8Array,
  identity: Identity,
  nowMs: number,
): NextRootCredentials {
  const seed = Uint8Array.from(randomBytes(keyBytes));
  const rootPublicKey = publicKeyOfSeed(seed);
  const { role, asOf, notBeforeMs, expiresMs } = certificate;
  const lifeMs = expiresMs - notBeforeMs;
  const subject = { clusterId, publicKey: identity.publicKey, role, asOf, lifeMs };
  return {
    rootPublicKey,
    signature: signNextRoot(rootPrivateKey, clusterId, rootPublicKey),
    rootPrivateKey: seed,
    certificate: issueCertificate(seed, subject, nowMs),
  };
}

/** Whether a certificate is signed by the root key or by the next one. */
export function isTrusted({ rootPublicKey, next }: Credentials, certificate: Certificate): boolean {
  const roots = next === undefined ? [rootPublicKey] : [rootPublicKey, next.rootPublicKey];
  return roots.some((root) => isSignedBy(root, certificate));
}

/** The newest root key of which these credentials have a certificate. */
export function newestRoot({ rootPublicKey, next }: Credentials): Uint8Array {
  return next?.certificate === undefined ? rootPublicKey : next.rootPublicKey;
}

/** Reserves the disk space that saveCredentials() needs. Errors: those of the disk. */
export async function reserveCredentials(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await reserveFile(join(dir, fileName), credentialsBytesMax);
}

export async function saveCredentials(
  dir: string,
  credentials: Credentials,
  cipher: HostCipher,
): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const { clusterId, rootPublicKey, rootPrivateKey, certificate, next } = credentials;
  const content = {
    version: fileVersion,
    clusterId,
    rootPublicKey: base64(rootPublicKey),
    rootPrivateKey: rootPrivateKey && base64(rootPrivateKey),
    certificate: base64(writeCertificate(certificate)),
    next: next && {
      rootPublicKey: base64(next.rootPublicKey),
      signature: base64(next.signature),
      rootPrivateKey: next.rootPrivateKey && base64(next.rootPrivateKey),
      certificate: next.certificate && base64(writeCertificate(next.certificate)),
    },
  };
  await replaceSealed(join(dir, fileName), JSON.stringify(content), { cipher, purpose });
}

/** Whether there are credentials, which may be encrypted. Errors: those of the disk. */
export async function hasCredentials(dir: string): Promise<boolean> {
  return (await readIfThere(join(dir, fileName))) !== undefined;
}

/**
 * Undefined where there are none. Encrypts those that an older release has written.
 *
 * Errors: CORRUPT_FILE with the file and what is wrong; NOT_SUPPORTED when a newer gam has written them.
 */
export async function loadCredentials(
  dir: string,
  cipher: HostCipher,
): Promise<Credentials | undefined> {
  const path = join(dir, fileName);
  const found = await readSealed(path, { cipher, purpose });
  if (found === undefined) return undefined;
  const credentials = await parseCredentials(dir, path, found.content.toString());
  if (found.isPlain) {
    await saveCredentials(dir, credentials, cipher);
    await removeFile(join(dir, sealName));
  }
  return credentials;
}

async function parseCredentials(dir: string, path: string, text: string): Promise<Credentials> {
  try {
    const content: unknown = JSON.parse(text);
    insistOnVersion(content, path, fileVersion);
    const file = fileCheck(content, "credentials");
    const rootPublicKey = fromBase64(file.rootPublicKey);
    const certificate = readCertificate(fromBase64(file.certificate));
    if (!isSignedBy(rootPublicKey, certificate)) throw new Error("certificate is not of this root");
    const { clusterId, next } = file;
    const rootPrivateKey = await privateKeyIn(dir, file);
    const current = { clusterId, rootPublicKey, rootPrivateKey, certificate };
    if (next === undefined) return current;
    const nextPrivateKey = await privateKeyIn(dir, next);
    const nextCertificate = next.certificate && readCertificate(fromBase64(next.certificate));
    return {
      ...current,
      next: {
        rootPublicKey: fromBase64(next.rootPublicKey),
        signature: fromBase64(next.signature),
        ...(nextPrivateKey && { rootPrivateKey: nextPrivateKey }),
        ...(nextCertificate && { certificate: nextCertificate }),
      },
    };
  } catch (thrown) {
    rethrowInvariant(thrown);
    if (thrown instanceof GamError && thrown.code === "NOT_SUPPORTED") throw thrown;
    throw new GamError(
      "CORRUPT_FILE",
      `Cannot read credentials "${path}": ${messageOf(thrown)}; restore it or join again`,
      { cause: thrown },
    );
  }
}

async function privateKeyIn(
  dir: string,
  file: { readonly rootPrivateKey?: string; readonly rootPrivateKeySealed?: string },
): Promise<Uint8Array | undefined> {
  if (file.rootPrivateKey !== undefined) return fromBase64(file.rootPrivateKey);
  if (file.rootPrivateKeySealed === undefined) return undefined;
  return unseal(await readFile(join(dir, sealName)), fromBase64(file.rootPrivateKeySealed));
}

/** For `leave`: deletes the credentials. The identity stays. */
export async function removeCredentials(dir: string): Promise<void> {
  await removeFile(join(dir, fileName));
  await removeFile(join(dir, sealName));
}
