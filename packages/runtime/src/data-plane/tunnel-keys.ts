/**
 * Tunnel keys: keeps this node's WireGuard key pairs, in files that are encrypted with the key of the host.
 *
 * Changing keys: `rotate` makes a second pair beside the first and returns its public half, which the node reports
 * to the cluster. The device uses the first pair until the state shows the second as this node's. Then `shown`
 * makes the second the only pair. The other nodes switch when they see the same entry, some a moment earlier, some
 * later; tunnel-device.ts says how that gap is handled.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { GamError } from "@gam/core";
import {
  type HostCipher,
  moveFile,
  readSealed,
  removeFile,
  replaceSealed,
  withMemoryFile,
} from "@gam/files";

interface KeyPair {
  /** base64, as is the public key. */
  readonly privateKey: string;
  readonly publicKey: string;
}

/** DER of an X25519 private key up to the 32 bytes themselves. Source: RFC 8410, section 7. */
const derHead = Buffer.from("302e020100300506032b656e04220420", "hex");
const keyBytes = 32;
const dayMs = 24 * 3600 * 1000;
const lifeMs = 7 * dayMs;
const spreadMs = dayMs;

export class TunnelKeys {
  readonly #directory: string;
  readonly #cipher: HostCipher;
  #active: KeyPair;
  #next: KeyPair | undefined;

  private constructor({ directory, cipher }: Place, active: KeyPair, next: KeyPair | undefined) {
    this.#directory = directory;
    this.#cipher = cipher;
    this.#active = active;
    this.#next = next;
  }

  /**
   * Reads the keys; makes one when there is none. Encrypts those that an older release has written.
   *
   * Errors: GamError CORRUPT_FILE, those of the disk.
   */
  static async open(directory: string, cipher: HostCipher): Promise<TunnelKeys> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const place = { directory, cipher };
    const known = await readKey(place, activeFile);
    const active = known ?? makeKey();
    if (known === undefined) await writeKey(place, activeFile, active);
    return new TunnelKeys(place, active, await readKey(place, nextFile));
  }

  /** The key that the device must use now. */
  get privateKey(): string {
    return this.#active.privateKey;
  }

  /** Calls `use` with a file of that key, for a program that reads it itself. */
  async withPrivateKeyFile<Result>(use: (path: string) => Promise<Result>): Promise<Result> {
    return await withMemoryFile(`${this.privateKey}\n`, use);
  }

  /** The newest public key: the one to report to the cluster. */
  get publicKey(): string {
    return (this.#next ?? this.#active).publicKey;
  }

  /** Whether this is the second key, which is not in use yet. */
  isNext(publicKey: string): boolean {
    return this.#next?.publicKey === publicKey;
  }

  /**
   * Rotates when the key in use is a week old, plus up to a day that differs by node, so that the nodes do not all
   * rotate at once. Errors: those of the disk.
   */
  async rotateWhenDue(nowMs: number): Promise<void> {
    const { mtimeMs } = await stat(join(this.#directory, activeFile));
    const spread = (Buffer.from(this.#active.publicKey, "base64")[0] ?? 0) / 256;
    if (nowMs - mtimeMs >= lifeMs + spread * spreadMs) await this.rotate();
  }

  /** Returns: the new public key. Called again before that key is in use, it makes no other. */
  async rotate(): Promise<string> {
    if (this.#next === undefined) {
      const made = makeKey();
      await writeKey({ directory: this.#directory, cipher: this.#cipher }, nextFile, made);
      this.#next = made;
    }
    return this.#next.publicKey;
  }

  /** Call it when the state has this key for this node: from now on it is the only one. */
  async shown(publicKey: string): Promise<void> {
    const next = this.#next;
    if (next === undefined || next.publicKey !== publicKey) return;
    await moveFile(join(this.#directory, nextFile), join(this.#directory, activeFile));
    this.#active = next;
    this.#next = undefined;
  }

  /** Errors: those of the disk. */
  async remove(): Promise<void> {
    for (const file of [activeFile, nextFile]) await removeFile(join(this.#directory, file));
  }
}

interface Place {
  readonly directory: string;
  readonly cipher: HostCipher;
}

/** One for both files: the second takes the name of the first. */
const purpose = "tunnel key";
const activeFile = "wireguard.key";
const nextFile = "wireguard-next.key";

function makeKey(): KeyPair {
  const der = generateKeyPairSync("x25519").privateKey.export({ type: "pkcs8", format: "der" });
  return pairOf(der.subarray(-keyBytes));
}

function pairOf(secret: Buffer): KeyPair {
  const key = Buffer.concat([derHead, secret]);
  const der = createPublicKey(createPrivateKey({ key, format: "der", type: "pkcs8" }));
  const spki = der.export({ type: "spki", format: "der" });
  return {
    privateKey: secret.toString("base64"),
    publicKey: spki.subarray(-keyBytes).toString("base64"),
  };
}

async function readKey(place: Place, file: string): Promise<KeyPair | undefined> {
  const path = join(place.directory, file);
  const found = await readSealed(path, { cipher: place.cipher, purpose });
  if (found === undefined) return undefined;
  const secret = Buffer.from(found.content.toString().trim(), "base64");
  if (secret.length !== keyBytes) {
    throw new GamError(
      "CORRUPT_FILE",
      `Cannot read ${path}: not a WireGuard key. Remove the file, and the agent will make a new key`,
    );
  }
  const pair = pairOf(secret);
  if (found.isPlain) await writeKey(place, file, pair);
  return pair;
}

async function writeKey({ directory, cipher }: Place, file: string, key: KeyPair): Promise<void> {
  // A torn key after a power loss would keep the agent from starting.
  await replaceSealed(join(directory, file), `${key.privateKey}\n`, { cipher, purpose });
}
