/**
 * Host key: the one key with which this host encrypts what is secret in its data directory.
 *
 * It is random, and lies in a file of its own. While managers are locked (autolock), the file holds it only sealed
 * with the cluster's unlock key, which no disk has: after a restart somebody has to give that key. When the unlock
 * key changes, only this file is written anew.
 */
import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import { assert, base64, check, fromBase64, GamError, jsonOr, rethrowInvariant } from "@gam/core";
import { HostCipher, otherKeyRemedy, readIfThere, replaceFile, seal, unseal } from "@gam/files";
import { hasSealedIdentity, insistOnVersion } from "@gam/mesh";
import { diskFailed } from "./disk-failed.ts";

const fileName = "host.key";
const version = 1;
const keyBytes = 32;
/** What sealing adds: a nonce and a tag. */
const sealBytes = 28;
const purpose = "gam host key 1";
const checkFile = check.object({
  version: check.literal(version),
  /** base64; one of the two. */
  key: check.optional(check.string(64)),
  locked: check.optional(check.string(256)),
});

export class HostKey {
  readonly #path: string;
  /** Undefined while it is locked. */
  #key: Uint8Array | undefined;
  #sealed: Uint8Array | undefined;
  /** The unlock key with which the file is sealed. Undefined while that is not known, or there is none. */
  #lock: Uint8Array | undefined;

  private constructor(path: string, key: Uint8Array | undefined, sealed: Uint8Array | undefined) {
    this.#path = path;
    this.#key = key;
    this.#sealed = sealed;
  }

  /**
   * Reads the key, or makes one in a directory that has nothing encrypted yet.
   *
   * Errors: CORRUPT_FILE with what to do; NOT_SUPPORTED when a newer gam has written it; DISK_FAILED.
   */
  static async open(dataDir: string): Promise<HostKey> {
    const path = join(dataDir, fileName);
    const text = await readIfThere(path);
    if (text === undefined) {
      if (await hasSealedIdentity(dataDir)) throw unreadable(path, "it is missing");
      const made = new HostKey(path, randomBytes(keyBytes), undefined);
      await made.#write();
      return made;
    }
    const content = jsonOr(text.toString(), undefined);
    insistOnVersion(content, path, version);
    const found = keyIn(content);
    if (found === undefined) throw unreadable(path, "its content is damaged");
    return new HostKey(path, found.key, found.locked);
  }

  get isLocked(): boolean {
    return this.#key === undefined;
  }

  /** Called only while it is not locked. */
  get cipher(): HostCipher {
    assert(this.#key !== undefined, "a locked host key encrypts nothing");
    return new HostCipher(this.#key);
  }

  /** Shape: 32 bytes. Returns: false for another unlock key. */
  unlock(unlockKey: Uint8Array): boolean {
    if (this.#sealed === undefined) return false;
    try {
      this.#key = unseal(unlockKey, this.#sealed, purpose);
    } catch (thrown) {
      rethrowInvariant(thrown);
      return false; // Sealed with another key.
    }
    this.#lock = unlockKey;
    return true;
  }

  /** Takes back unlock(): what the key opens turned out to be unusable. The file is as it was. */
  lockAgain(): void {
    this.#key = undefined;
    this.#lock = undefined;
  }

  /** Seals the file with this unlock key, or with none. Does nothing if that is so already. Errors: DISK_FAILED. */
  async sealWith(unlockKey: Uint8Array | undefined): Promise<void> {
    assert(this.#key !== undefined, "only an unlocked host key can be sealed anew");
    const isSame =
      unlockKey === undefined
        ? this.#sealed === undefined
        : this.#lock !== undefined && Buffer.from(unlockKey).equals(this.#lock);
    if (isSame) return;
    this.#sealed = unlockKey && seal(unlockKey, this.#key, purpose);
    this.#lock = unlockKey;
    await this.#write();
  }

  /** Replaces the key. What was encrypted with the one before can never be read again. Errors: DISK_FAILED. */
  async renew(): Promise<void> {
    this.#key = randomBytes(keyBytes);
    this.#sealed = undefined;
    this.#lock = undefined;
    await this.#write();
  }

  async #write(): Promise<void> {
    const key = this.#key;
    assert(key !== undefined, "only a known key is written");
    const content =
      this.#sealed === undefined ? { key: base64(key) } : { locked: base64(this.#sealed) };
    try {
      await replaceFile(this.#path, JSON.stringify({ version, ...content }));
    } catch (thrown) {
      rethrowInvariant(thrown);
      throw diskFailed(dirname(this.#path), thrown);
    }
  }
}

interface FoundKey {
  readonly key?: Uint8Array;
  readonly locked?: Uint8Array;
}

/** Returns: one of the two; undefined for anything else. It says no reason, because reasons quote what was found. */
function keyIn(content: unknown): FoundKey | undefined {
  try {
    const file = checkFile(content, "host key");
    const [key, locked] = [fromBase64(file.key ?? ""), fromBase64(file.locked ?? "")];
    if (locked.length === keyBytes + sealBytes) return { locked };
    return file.locked === undefined && key.length === keyBytes ? { key } : undefined;
  } catch (thrown) {
    rethrowInvariant(thrown);
    return undefined;
  }
}

function unreadable(path: string, found: string): GamError {
  return new GamError(
    "CORRUPT_FILE",
    `Cannot read "${path}", the key with which this directory is encrypted: ${found}. Nothing was changed on this disk. ${otherKeyRemedy}`,
  );
}
