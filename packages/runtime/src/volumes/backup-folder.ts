/**
 * Backup folder: backups as files of a folder, each a tar and a manifest.
 *
 * A tar is written under another name, read again and compared, and renamed at the end; its manifest comes last. So
 * what is broken or cut off never looks whole. The folder must exist: where a disk is not mounted, a backup would
 * fill another one.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GamError, hasCode, jsonOr, messageOf, rethrowInvariant } from "@gam/core";
import { moveFile, replaceFile, syncDirectory } from "@gam/files";
import { backupFileForm } from "@gam/state";
import { type BackupManifest, checkBackupManifest, manifestFile } from "@gam/state/answers";

/** What a store found that has taken a tar. */
export interface StoredTar {
  readonly bytes: number;
  readonly sha256: string;
}

/** How a tar is stored: see BackupFolder.write(). */
export interface StoreOptions {
  readonly manifest: (found: StoredTar) => BackupManifest;
  readonly signal: AbortSignal;
}

export class BackupFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Stores a tar and its manifest. `manifest` is called when the tar has ended and must agree with what was stored.
   * When it rejects, there is no file of that name, or the one that was there before.
   *
   * Errors: NOT_FOUND without the folder; DISK_FAILED; those of `from` and `manifest`.
   */
  async write(
    file: string,
    from: Readable,
    { manifest, signal }: StoreOptions,
  ): Promise<BackupManifest> {
    await this.#insist();
    const path = this.#path(file);
    const partial = `${path}.partial`;
    try {
      const handle = await open(partial, "w", 0o600);
      const found = await stored(from, handle, signal).finally(() => handle.close());
      const said = manifest(found);
      const again = await sumOf(partial, signal);
      if (again !== said.sha256) {
        throw new GamError("DISK_FAILED", `Cannot store backup: "${path}" reads back changed`);
      }
      // Without its manifest, an earlier backup of the name does not look whole while it is replaced.
      await rm(this.#manifestPath(file), { force: true });
      await moveFile(partial, path);
      await replaceFile(this.#manifestPath(file), `${JSON.stringify(said, undefined, 2)}\n`);
      return said;
    } catch (thrown) {
      rethrowInvariant(thrown);
      await rm(partial, { force: true });
      throw inWords(thrown, path);
    }
  }

  /** Errors: NOT_FOUND; CORRUPT_FILE. */
  async manifest(file: string): Promise<BackupManifest> {
    const path = this.#manifestPath(file);
    const text = await readFile(path, "utf8").catch((thrown: unknown) => {
      rethrowInvariant(thrown);
      if (!hasCode(thrown, "ENOENT")) throw inWords(thrown, path);
      const reason = `there is no manifest "${path}": a backup without it may not be whole`;
      throw new GamError("NOT_FOUND", `Cannot find backup: ${reason}`);
    });
    const manifest = readManifest(text, path);
    const { size } = await stat(this.#path(file)).catch((thrown: unknown) => {
      rethrowInvariant(thrown);
      throw inWords(thrown, this.#path(file));
    });
    if (size === manifest.bytes) return manifest;
    const found = `"${file}" has ${size} bytes, and its manifest says ${manifest.bytes}`;
    throw new GamError("CORRUPT_FILE", `Cannot use backup: ${found}`);
  }

  read(file: string): Readable {
    return createReadStream(this.#path(file), { highWaterMark: 1 << 18 });
  }

  /** Removes a backup; the manifest first, so that what is left does not look whole. */
  async remove(file: string): Promise<void> {
    await rm(this.#manifestPath(file), { force: true });
    await rm(this.#path(file), { force: true });
    await syncDirectory(this.#folder);
  }

  async #insist(): Promise<void> {
    const found = await stat(this.#folder).catch((thrown: unknown) => {
      rethrowInvariant(thrown);
      if (hasCode(thrown, "ENOENT") || hasCode(thrown, "ENOTDIR")) return undefined;
      throw inWords(thrown, this.#folder);
    });
    if (found?.isDirectory()) return;
    throw new GamError(
      "NOT_FOUND",
      `Cannot store backup: there is no folder "${this.#folder}" on that host. Make it first`,
    );
  }

  /** Errors: BAD_REQUEST for a name that is no backup's. */
  #path(file: string): string {
    if (backupFileForm.test(file)) return join(this.#folder, file);
    throw new GamError(
      "BAD_REQUEST",
      `Cannot use backup: "${file}" is not a name that ends with ".tar"`,
    );
  }

  #manifestPath(file: string): string {
    return manifestFile(this.#path(file));
  }
}

/** Errors: CORRUPT_FILE. */
export function readManifest(text: string, path: string): BackupManifest {
  try {
    return checkBackupManifest(jsonOr(text, undefined), "manifest");
  } catch (thrown) {
    if (!(thrown instanceof GamError)) throw thrown;
    throw new GamError("CORRUPT_FILE", `Cannot read "${path}": ${thrown.message}`);
  }
}

async function stored(from: Readable, to: FileHandle, signal: AbortSignal): Promise<StoredTar> {
  const hash = createHash("sha256");
  let bytes = 0;
  const sink = new Writable({
    write: (piece: Buffer, _coding, done) => {
      hash.update(piece);
      bytes += piece.length;
      writeAll(to, piece).then(() => done(), done);
    },
  });
  await pipeline(from, sink, { signal });
  await to.sync();
  return { bytes, sha256: hash.digest("hex") };
}

async function writeAll(to: FileHandle, piece: Buffer): Promise<void> {
  for (let at = 0; at < piece.length; ) at += (await to.write(piece, at)).bytesWritten;
}

async function sumOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest("hex");
}

/** Errors of the file system become DISK_FAILED; others stay. */
function inWords(thrown: unknown, path: string): unknown {
  const isOfDisk = thrown instanceof Error && "errno" in thrown && "syscall" in thrown;
  if (!isOfDisk) return thrown;
  if (hasCode(thrown, "ENOENT")) {
    return new GamError("NOT_FOUND", `Cannot find backup: there is no file "${path}"`);
  }
  return new GamError("DISK_FAILED", `Cannot use "${path}": ${messageOf(thrown)}`, {
    cause: thrown,
  });
}
