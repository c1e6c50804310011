/**
 * Tunnel keys: keeps this node's WireGuard key pairs, in files that only root reads.
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
import { moveFile, readIfThere, removeFile, replaceFile } from "@gam/files";

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
  #active: KeyPair;
  #next: KeyPair | undefined;

  private constructor(directory: string, active: KeyPair, next: KeyPair | undefined) {
    this.#directory = directory;
    this.#active = active;
    this.#next = next;
  }

  /** Reads the keys; makes one when there is none. Errors: GamError CORRUPT_FILE, those of the disk. */
  static async open(directory: string): Promise<TunnelKeys> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const known = await readKey(join(directory, activeFile));
    const active = known ?? makeKey();
    if (known === undefined) await writeKey(directory, activeFile, active);
    return new TunnelKeys(directory, active, await readKey(join(directory, nextFile)));
  }

  /** The key that the device must use now. */
  get privateKey(): string {
    return this.#active.privateKey;
  }

  /** The file of that key, for programs that read it themselves. */
  get privateKeyFile(): string {
    return join(this.#directory, activeFile);
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
    const { mtimeMs } = await stat(this.privateKeyFile);
    const spread = (Buffer.from(this.#active.publicKey, "base64")[0] ?? 0) / 256;
    if (nowMs - mtimeMs >= lifeMs + spread * spreadMs) await this.rotate();
  }

  /** Returns: the new public key. Called again before that key is in use, it makes no other. */
  async rotate(): Promise<string> {
    if (this.#next === undefined) {
      const made = makeKey();
      await writeKey(this.#directory, nextFile, made);
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

async function readKey(path: string): Promise<KeyPair | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  const secret = Buffer.from(text.toString().trim(), "base64");
  if (secret.length !== keyBytes) {
    throw new GamError(
      "CORRUPT_FILE",
      `Cannot read ${path}: not a WireGuard key. Remove the file, and the agent will make a new key`,
    );
  }
  return pairOf(secret);
}

async function writeKey(directory: string, file: string, key: KeyPair): Promise<void> {
  // A torn key after a power loss would keep the agent from starting.
  await replaceFile(join(directory, file), `${key.privateKey}\n`);
}
