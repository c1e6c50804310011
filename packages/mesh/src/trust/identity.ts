/**
 * Identity: a peer's key. Made once, at the first start, and never changed.
 *
 * Decides how the node id follows from the key. An address is not part of it.
 */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { base36, check, GamError, messageOf, type NodeId, rethrowInvariant } from "@gam/core";
import {
  type FileSeal,
  type HostCipher,
  isSealed,
  readIfThere,
  readSealed,
  removeFile,
  replaceSealed,
} from "@gam/files";
import { generateKeyPair, privateKeyFromRaw } from "@libp2p/crypto/keys";
import type { Ed25519PrivateKey, PeerId } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { insistOnVersion } from "./file-version.ts";

export interface Identity {
  readonly nodeId: NodeId;
  /** The same key in libp2p's spelling. */
  readonly peerId: string;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly privateKey: Ed25519PrivateKey;
}

const fileName = "identity.json";
const purpose = "identity";
const fileVersion = 1;
const fileCheck = check.object({
  version: check.literal(fileVersion),
  privateKey: check.string(256),
});

/** Shape: `publicKey` is 32 bytes of Ed25519. Equal keys give equal ids. */
export function nodeIdOfKey(publicKey: Uint8Array): NodeId {
  return base36(createHash("sha256").update(publicKey).digest()) as NodeId;
}

/** Whether `dir` has an identity that is encrypted with the key of the host. Errors: those of the disk. */
export async function hasSealedIdentity(dir: string): Promise<boolean> {
  const content = await readIfThere(join(dir, fileName));
  return content !== undefined && isSealed(content);
}

/** Undefined for a key of another type: no gam peer has one. */
export function publicKeyOf(peerId: PeerId): Uint8Array | undefined {
  return peerId.type === "Ed25519" ? peerId.publicKey.raw : undefined;
}

/** A new identity, not saved. */
export async function makeIdentity(): Promise<Identity> {
  return identityOf(await generateKeyPair("Ed25519"));
}

/** Deletes the identity. The next one made there is another peer. */
export async function removeIdentity(dir: string): Promise<void> {
  await removeFile(join(dir, fileName));
}

/**
 * Reads the identity in `dir`, or makes one there (mode 0600). Encrypts one that an older release has written.
 *
 * Errors: CORRUPT_FILE when the file is no identity, or is encrypted with another key. It is never replaced
 *         silently: the cluster knows this peer by that key. NOT_SUPPORTED when a newer gam has written it.
 */
export async function loadIdentity(dir: string, cipher: HostCipher): Promise<Identity> {
  const path = join(dir, fileName);
  const sealing = { cipher, purpose };
  const found = await readSealed(path, sealing);
  if (found === undefined) {
    const identity = await makeIdentity();
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await saveIdentity(path, identity, sealing);
    return identity;
  }
  const identity = parseIdentity(path, found.content.toString());
  if (found.isPlain) await saveIdentity(path, identity, sealing);
  return identity;
}

async function saveIdentity(path: string, { privateKey }: Identity, by: FileSeal): Promise<void> {
  const text = Buffer.from(privateKey.raw).toString("base64");
  await replaceSealed(path, JSON.stringify({ version: fileVersion, privateKey: text }), by);
}

function parseIdentity(path: string, text: string): Identity {
  try {
    const content: unknown = JSON.parse(text);
    insistOnVersion(content, path, fileVersion);
    const raw = Buffer.from(fileCheck(content, "identity").privateKey, "base64");
    const key = privateKeyFromRaw(raw);
    if (key.type !== "Ed25519") throw new Error(`key is of type "${key.type}"`);
    return identityOf(key);
  } catch (thrown) {
    rethrowInvariant(thrown);
    if (thrown instanceof GamError && thrown.code === "NOT_SUPPORTED") throw thrown;
    throw new GamError("CORRUPT_FILE", `Cannot read identity "${path}": ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
}

function identityOf(privateKey: Ed25519PrivateKey): Identity {
  const publicKey = privateKey.publicKey.raw;
  return {
    nodeId: nodeIdOfKey(publicKey),
    peerId: peerIdFromPrivateKey(privateKey).toString(),
    publicKey,
    privateKey,
  };
}
